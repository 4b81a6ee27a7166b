"""The operator that looks for recurring failures, on Airflow connections, against running systems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from demo.laboratory import connections
from operators.capas import FindFindingsOperator, RaiseCapasOperator
from operators.wiring import CAPAS
from pv_testing.errors import DataError
from sandbox import Lab
from tests.airflow.home import connect

DAY = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    plan = sandbox.SeedPlan(modules=12, protocols=6, failures=0.0, weak="PVTP-018", state="complete")
    with sandbox.serve(seed_plan=plan) as running:
        known = connections(running)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        yield running


def context() -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="pv_capa", run_id="run-1", task_id="find_findings", map_index=-1, try_number=1)
    ti.xcom_push = lambda **_: None
    run = SimpleNamespace(run_after=DAY, logical_date=None)
    return {"ti": ti, "dag_run": run, "outlet_events": {CAPAS: SimpleNamespace(extra={})}}


def find(**arguments: Any) -> list[dict[str, str]]:
    return FindFindingsOperator(task_id="find_findings", **arguments).execute(context())


def test_what_is_handed_on_is_a_digest_and_a_title(lab: Lab) -> None:
    (question,) = find()
    assert question["title"] == "PVTP-018/1: 7 modules"
    assert len(question["finding"]) == 64
    assert find() == [question]


@pytest.mark.parametrize("wanted", ["1", "SR-2025-0001"])
def test_a_service_request_is_named_by_number_or_id(lab: Lab, wanted: str) -> None:
    assert len(find(service_request=wanted)) == 1


def test_an_unknown_service_request_is_refused(lab: Lab) -> None:
    with pytest.raises(DataError, match="no such service request"):
        find(service_request="SR-1999-0001")


def test_nothing_approved_raises_nothing(lab: Lab) -> None:
    summary = RaiseCapasOperator(task_id="raise_capas", outlets=[CAPAS]).execute(context())
    assert summary["operations"] == {"qms.create_capa": {}}
