"""Webhooks through a real Airflow: an event of the framework starts its DAG within seconds, and others are told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import requests

from demo.processes import free_port
from demo.story import Story
from pv_testing.ledger import Ledger
from pv_testing.webhooks import WebhookManager
from pv_testing.webhooks.addresses import Guard
from pv_testing.webhooks.airflow_rest import AirflowRest
from pv_testing.webhooks.secrets import Secrets
from pv_testing.webhooks.settings import WebhookSettings
from tests.airflow.home import PROJECT
from tests.airflow.running.launcher import Running
from tests.unit.webhooks.conftest import Told, told  # noqa: F401 - a fixture
from tests.unit.webhooks.receiving import SECRET, framework

pytestmark = pytest.mark.scheduler

SOON = 20.0
"""Seconds within which a run must begin; it takes one or two where the machine has nothing else to do."""


def first_run(story: Story, dag_id: str, before: set[str]) -> dict:
    def found() -> dict | None:
        runs = [run for run in story.api.get(f"dags/{dag_id}/dagRuns")["dag_runs"] if run["dag_run_id"] not in before]
        return runs[0] if runs and runs[0]["start_date"] else None

    return story.components.wait_for(f"A run of {dag_id}", found, seconds=120)


def runs(story: Story, dag_id: str) -> set[str]:
    return {run["dag_run_id"] for run in story.api.get(f"dags/{dag_id}/dagRuns")["dag_runs"]}


def arrived(running: Running, seed: int) -> tuple[int, str]:
    """Return id and number of a service request that has come just now."""
    number = running.seed(modules=2, protocols=1, seed=seed)
    ids = {request["sr_number"]: request["id"] for request in running.story.lab.service_requests()}
    return ids[number], number


def test_an_event_starts_the_dag_of_its_service_request_within_seconds(running: Running) -> None:
    story = running.story
    sr_id, number = arrived(running, seed=21)
    before = runs(story, "pv_intake")
    body = framework({"sr_id": sr_id, "sr_number": number}, event="service_request.created")
    story.api._session.get(f"{story.api.url}/pv/webhooks/framework", timeout=30)
    began = time.time()
    answers = [requests.post(f"{story.api.url}/pv/webhooks/framework", data=body, timeout=30) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    run = first_run(story, "pv_intake", before)
    waited = datetime.fromisoformat(run["start_date"].replace("Z", "+00:00")).timestamp() - began
    print(f"the run began {waited:.2f} s after its event was sent")
    assert waited < SOON
    assert run["conf"]["sr"] == str(sr_id)
    state = story.components.wait_for(
        "The run", lambda: story.api.finished("pv_intake", run["dag_run_id"]), seconds=120
    )
    assert state == "success"
    assert len(story.lab.samples(number)) == 2
    assert runs(story, "pv_intake") - before == {run["dag_run_id"]}


def test_what_the_receiver_has_not_started_the_dag_starts(running: Running) -> None:
    from pv_testing.ledger.inbox import Received

    story = running.story
    sr_id, number = arrived(running, seed=22)
    before = runs(story, "pv_intake")
    with Ledger(running.ledger) as ledger:
        ledger.inbox.receive([Received("framework", "left", "x", str(sr_id), "pv_intake")])
        ledger.inbox.postpone([Received("framework", "left", "x", str(sr_id), "pv_intake")], 0, "")
        from sqlalchemy import text

        with ledger._store.exclusive() as connection:
            connection.execute(text("UPDATE ledger_inbox SET received_at = 1"))
    story.api.trigger("pv_webhooks", "sweep-1", {})
    state = story.components.wait_for("The run", lambda: story.api.finished("pv_webhooks", "sweep-1"), seconds=180)
    assert state == "success"
    run = first_run(story, "pv_intake", before)
    assert run["dag_run_id"] == "webhook__framework__left"
    story.components.wait_for("The run", lambda: story.api.finished("pv_intake", run["dag_run_id"]), seconds=120)
    assert len(story.lab.samples(number)) == 2


def test_others_are_told_of_what_the_dags_do(running: Running, told: Told) -> None:  # noqa: F811
    story = running.story
    with Ledger(running.ledger) as ledger:
        secrets = Secrets(running.home / "pv_webhook_secrets.json")
        open_here = WebhookSettings(guard=Guard.of(["127.0.0.0/8"], allow_http=True))
        WebhookManager(ledger, settings=open_here, secrets=secrets).register(
            told.url, ["sample.created", "service_request.created"], SECRET
        )
    _, number = arrived(running, seed=23)
    story.run("pv_intake", "samples to tell of", sr=number)
    story.api.trigger("pv_webhooks", "tell-1", {})
    state = story.components.wait_for("The run", lambda: story.api.finished("pv_webhooks", "tell-1"), seconds=180)
    assert state == "success"
    messages = [json.loads(body) for _, _, body in told.requests]
    assert [each["event"] for each in messages].count("sample.created") == 2
    assert {each["data"]["sr_number"] for each in messages} == {number}
    assert len(set(told.ids)) == len(told.ids)


def test_a_receiver_that_runs_alone_starts_a_dag_through_the_api(running: Running, tmp_path: Path) -> None:
    story = running.story
    trigger = AirflowRest(story.api.url, "admin", "admin")
    trigger._token = story.api._session.headers["Authorization"].removeprefix("Bearer ")
    for _ in range(2):
        trigger.start("pv_status_sync", "webhook__lims__alone", {})
    story.components.wait_for(
        "The run", lambda: story.api.finished("pv_status_sync", "webhook__lims__alone"), seconds=120
    )
    assert not trigger.has_queued("pv_status_sync")


def test_the_command_takes_events_alone_and_keeps_them(running: Running, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT / "plugins"),
        "PV_CONFIG": str(running.config / "integrations.yaml"),
        "FRAMEWORK_WEBHOOK_SECRET": SECRET,
        "AIRFLOW_HOME": str(tmp_path),
    }
    port = free_port(18380)
    command = [sys.executable, "-m", "pv_testing", "receive", "--port", str(port), "--ledger"]
    ledger = f"sqlite:///{tmp_path / 'alone.sqlite'}"
    with subprocess.Popen([*command, ledger], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "taking events of framework" in process.stdout.readline()
            url = f"http://127.0.0.1:{port}/framework"
            running.story.components.wait_for("The receiver", lambda: _status(url, framework({"sr_id": 1})), seconds=30)
        finally:
            process.terminate()
    with Ledger(ledger) as opened:
        assert opened.inbox.counts() == {("framework", "waiting"): 1}


def _status(url: str, body: bytes) -> int | None:
    try:
        return requests.post(url, data=body, timeout=5).status_code
    except requests.ConnectionError:
        return None
