"""The audit trail's operator against a running QMS: a source a task; what the QMS can't take is skipped in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

import sandbox
from demo.laboratory import connections
from hooks.ledger import LedgerHook
from operators.audit_trail import SyncAuditTrailOperator
from pv_testing.core.errors import ExchangeIncomplete
from sandbox import Lab
from tests.airflow.home import connect


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    with sandbox.serve(seed_plan=sandbox.SeedPlan(modules=1, protocols=1)) as running:
        known = connections(running)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        with LedgerHook().get_conn() as ledger:
            ledger.record("sweep", owner="pv_intake/run-1/create_samples try 1")
        yield running


def sync(**arguments: Any) -> tuple[dict[str, Any], list[Any]]:
    pushed: list[Any] = []
    ti = SimpleNamespace(
        dag_id="pv_audit_sync", run_id="run-1", task_id="step", map_index=-1, try_number=1,
        xcom_push=lambda **values: pushed.append(values),
    )  # fmt: skip
    return SyncAuditTrailOperator(task_id="step", **arguments).execute({"ti": ti, "outlet_events": {}}), pushed


def events(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(row["body"]) for row in lab.rows("qms", "SELECT body FROM audit_events ORDER BY number")]


def test_each_task_sends_its_source_and_asks_for_no_service_request(lab: Lab) -> None:
    lab.advance(1, "INSPECTION_COMPLETE")
    assert sync()[0]["counts"]["created"] == 1
    assert [event["session_id"] for event in events(lab)] == ["pv_intake/run-1"]
    assert not lab.requests("framework")[1:]
    assert sync(source="framework")[0]["counts"]["created"] == 1
    assert [event["source"].partition("/")[0] for event in events(lab)] == ["ledger", "framework"]
    assert sync()[0]["counts"]["created"] == 0


def test_a_dry_run_given_by_a_template_sends_nothing(lab: Lab) -> None:
    assert sync(dry_run="True")[0]["counts"]["created"] == 1
    assert events(lab) == []


def test_an_event_that_is_refused_fails_the_task(lab: Lab) -> None:
    with LedgerHook().get_conn() as ledger:
        ledger.record("sweep", key="x" * 600)
    with pytest.raises(ExchangeIncomplete):
        sync()


def test_a_qms_that_takes_no_audit_events_skips_the_task_in_words(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    redmine = {"conn_type": "pv_qms", "host": lab.url("qms"), "password": "key"}
    extra = {"provider": "Redmine", "contract": "qms_redmine", "auth_type": "api_key"}
    connect(monkeypatch, {"pv_qms": {**redmine, "extra": extra}})
    for source in ("ledger", "framework"):
        with pytest.raises(AirflowSkipException, match="Redmine has no place for an audit trail"):
            sync(source=source)
