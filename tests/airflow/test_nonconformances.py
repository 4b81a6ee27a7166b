"""The operator that reports non-conformances, on Airflow connections, against running systems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

import sandbox
from demo.laboratory import connections
from operators.nonconformances import ReportNonConformancesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from operators.wiring import NON_CONFORMANCES
from pv_testing.core.errors import ExchangeIncomplete
from pv_testing.quality.nonconformances import SWEEP
from pv_testing.workflow.selection import UNDER_TEST
from sandbox import Lab
from tests.airflow.home import connect


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    plan = sandbox.SeedPlan(modules=3, protocols=2, failures=0.0, state="complete")
    with sandbox.serve(seed_plan=plan) as running:
        known = connections(running)
        known["pv_qms"]["extra"]["nc_url"] = "https://qms.example/nc/{id}?execution={key}"
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        yield running


TI: Any = SimpleNamespace(
    dag_id="pv_quality", run_id="run-1", task_id="report", map_index=0, try_number=1, xcom_push=lambda **_: None
)


def report(**arguments: Any) -> tuple[dict[str, Any], ReportNonConformancesOperator, dict[Any, Any]]:
    operator = ReportNonConformancesOperator(task_id="report", outlets=[NON_CONFORMANCES], **arguments)
    events = {NON_CONFORMANCES: SimpleNamespace(extra={})}
    summary = operator.execute({"ti": TI, "outlet_events": events})
    return summary, operator, events[NON_CONFORMANCES].extra


def first(lab: Lab) -> str:
    return str(lab.framework_rows("SELECT min(execution_id) AS id FROM executions")[0]["id"])


def test_a_failed_execution_is_reported_with_its_link_and_counted_in_the_asset(lab: Lab) -> None:
    lab.decide(int(first(lab)), "FAIL")
    summary, operator, extra = report(service_requests=[1])
    assert summary["operations"] == {"qms.create_nc_report": {"created": 1}}
    assert extra["created"] == 1
    assert operator.record_page == f"https://qms.example/nc/NC-000001?execution={first(lab)}"
    again, operator, _ = report(service_requests=[1])
    assert again["operations"] == {"qms.create_nc_report": {"unchanged": 1}}
    assert operator.record_page.startswith("https://qms.example/nc/NC-000001")


def test_a_closed_request_is_chosen_until_nothing_of_it_waits(lab: Lab) -> None:
    chosen = ChooseServiceRequestsOperator(task_id="choose", states=UNDER_TEST, sweep=SWEEP)
    assert chosen.execute({"ti": TI}) == [{"service_requests": [1], "title": "SR-2025-0001"}]
    lab.decide(int(first(lab)), "FAIL")
    lab.faults("qms", {"route": "POST /api/nc-reports", "kind": "error", "status": 422, "times": 1})
    with pytest.raises(ExchangeIncomplete):
        report(service_requests=[1])
    lab.advance(1, "CLOSED")
    assert [task["service_requests"] for task in chosen.execute({"ti": TI})] == [[1]]
    with pytest.raises(ExchangeIncomplete):
        report(service_requests=[1])
    report(service_requests=[1], replay=True)
    assert chosen.execute({"ti": TI}) == []


def test_a_dry_run_remembers_nothing_of_what_it_finds(lab: Lab) -> None:
    options = {"states": UNDER_TEST, "sweep": SWEEP, "unknown_states": True}
    chosen = ChooseServiceRequestsOperator(task_id="choose", dry_run="True", **options)
    assert len(chosen.execute({"ti": TI})) == 1
    lab.advance(1, "CLOSED")
    really = ChooseServiceRequestsOperator(task_id="choose", **options)
    assert really.execute({"ti": TI}) == []


def test_what_a_person_should_look_at_is_in_the_summary(lab: Lab) -> None:
    lab.decide(int(first(lab)), "WARNING")
    summary, *_ = report(service_requests=[1])
    assert "please review" in summary["notes"][0]


def test_a_word_that_nobody_knows_fails_the_task(lab: Lab) -> None:
    lab.decide(int(first(lab)), "kaput")
    with pytest.raises(ExchangeIncomplete, match="unknown verdict 'kaput'"):
        report(service_requests=[1])


def test_a_dry_run_given_by_a_template_sends_nothing(lab: Lab) -> None:
    lab.decide(int(first(lab)), "FAIL")
    assert report(service_requests=[1], dry_run="True")[0]["counts"]["created"] == 1
    assert lab.rows("qms", "SELECT * FROM nc_reports") == []


def test_without_a_qms_the_task_is_skipped(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("qms: {enabled: false}\nframework: {connection: pv_framework}\n")
    monkeypatch.setenv("PV_CONFIG", str(path))
    with pytest.raises(AirflowSkipException, match="qms"):
        report(service_requests=[1])
