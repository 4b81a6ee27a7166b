"""The receiver below ``/pv/webhooks`` of Airflow, the runs that it starts, and no other route without a user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models import DagRun
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import pv_plugin
from hooks.webhooks import WebhookHook
from pv_testing.ledger import Ledger
from tests import yaml_text
from tests.airflow.home import PROJECT, connect
from tests.unit.webhooks.receiving import SECRET, framework


@pytest.fixture(scope="module")
def database() -> None:
    """Make Airflow's own database with the DAG that is started."""
    initdb()
    bag = DagBag(PROJECT / "dags" / "pv_results.py")
    assert not bag.import_errors
    with create_session() as session:
        session.add(DagBundleModel(name="webhooks-test"))
        session.commit()
        sync_bag_to_db(bag, "webhooks-test", None, session=session)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a ledger that connections lead to, and settings under which the framework may tell of events."""
    ledger = tmp_path / "ledger.sqlite"
    connect(
        monkeypatch,
        {
            "pv_ledger": {"conn_type": "pv_ledger", "extra": {"path": str(ledger)}},
            "pv_webhook_framework": {"conn_type": "pv_webhook", "password": SECRET},
        },
    )
    settings = {"receive": {"systems": {"framework": {"secrets": ["connection:pv_webhook_framework"]}}, "linger": 0}}
    (tmp_path / "webhooks.yaml").write_text(yaml_text.dump(settings))
    (tmp_path / "integrations.yaml").write_text((PROJECT / "config" / "integrations.yaml").read_text())
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "integrations.yaml"))
    return ledger


@pytest.fixture
def client(path: Path, database: None) -> Iterator[TestClient]:
    from web.webhooks import _Made, create_app

    mounted = Starlette(routes=[Mount("/pv/webhooks", create_app(_Made()))])
    with TestClient(mounted) as opened:
        yield opened


def test_an_event_starts_one_run_under_its_own_id_whatever_comes_twice(client: TestClient, path: Path) -> None:
    from web.webhooks import InProcess

    body = framework({"execution_id": 5678, "sr_number": "SR-2025-0123"})
    for _ in range(3):
        assert client.post("/pv/webhooks/framework", content=body).status_code == 202
    with Ledger(f"sqlite:///{path}") as ledger:
        client.portal.call(_until_started, ledger)
        assert ledger.inbox.counts() == {("framework", "started"): 1}
    with create_session() as session:
        (run,) = session.scalars(select(DagRun).where(DagRun.dag_id == "pv_results")).all()
        assert run.conf == {"sr": "SR-2025-0123"}
        assert run.run_id.startswith("webhook__framework__")
    assert InProcess().has_queued("pv_results")
    assert InProcess().is_running("pv_results", run.run_id)
    assert not InProcess().is_running("pv_results", "another run")
    InProcess().start("pv_results", run.run_id, {})
    InProcess().start("pv_results", "later", {}, 60)
    with create_session() as session:
        once, later = session.scalars(select(DagRun).where(DagRun.dag_id == "pv_results").order_by(DagRun.id)).all()
        assert (once.run_id, later.run_id) == (run.run_id, "later")
        assert 55 < (later.run_after - once.run_after).total_seconds() < 120


async def _until_started(ledger: Ledger) -> None:
    import asyncio

    for _ in range(200):
        if not ledger.inbox.waiting():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was started within 10 s")


def test_a_stranger_is_refused(client: TestClient) -> None:
    assert client.post("/pv/webhooks/framework", content=b"{}").status_code == 401
    assert client.post("/pv/webhooks/lims", content=b"{}").status_code == 404


def test_every_route_of_the_plugin_but_the_receiver_s_demands_a_user() -> None:
    """The table of applications is walked, so that a new one can't be forgotten here."""
    from web import charts, webhooks

    known = {"/pv/charts": charts.app, "/pv/webhooks": webhooks.app}
    assert {each["url_prefix"] for each in pv_plugin.PVTestingPlugin.fastapi_apps} == set(known)
    assert not getattr(pv_plugin.PVTestingPlugin, "flask_blueprints", [])
    assert not getattr(pv_plugin.PVTestingPlugin, "fastapi_root_middlewares", [])
    open_routes = [
        (prefix, route.path, sorted(route.methods))
        for prefix, app in known.items()
        for route in app.routes
        if not getattr(route, "dependencies", None)
    ]
    assert open_routes == [("/pv/webhooks", "/{system}", ["POST"])]


def test_a_connection_registers_its_endpoint_and_keeps_the_secret(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(
        monkeypatch,
        {
            "pv_webhook_customer": {
                "conn_type": "pv_webhook", "host": "https://customer.example.com/hook", "password": SECRET,
                "extra": {"events": "protocol.completed invoice.*"},
            }
        },
    )  # fmt: skip
    with Ledger(f"sqlite:///{path}") as ledger:
        manager = WebhookHook.manager(ledger, "ada")
        for _ in range(2):
            endpoint = WebhookHook("pv_webhook_customer").register(manager)
        assert manager.list() == [endpoint]
    assert endpoint.events == ("protocol.completed", "invoice.*")
    assert endpoint.secrets[0].name == "connection:pv_webhook_customer"
    assert SECRET.encode() not in path.read_bytes()
    assert WebhookHook("pv_webhook_customer").test_connection()[0]
    connect(
        monkeypatch, {"pv_webhook_inner": {"conn_type": "pv_webhook", "host": "https://10.0.0.1/", "password": SECRET}}
    )
    assert not WebhookHook("pv_webhook_inner").test_connection()[0]


def test_the_dag_s_tasks_run_without_an_endpoint(path: Path) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    import dags.pv_webhooks  # noqa: F401 - what is imported can be parsed
    from operators.webhooks import AnnounceEventsOperator, DeliverEventsOperator

    class Instance:
        dag_id, run_id, task_id, map_index, try_number = "pv_webhooks", "r", "t", -1, 1

    context = {"ti": Instance()}
    delivered = DeliverEventsOperator(task_id="deliver").execute(context)
    assert json.loads(json.dumps(delivered)) == {"delivered": 0, "failed": 0, "given_up": 0}
    for operator in (AnnounceEventsOperator(task_id="announce"), DeliverEventsOperator(task_id="dry", dry_run="True")):
        with pytest.raises(AirflowSkipException):
            operator.execute(context)
