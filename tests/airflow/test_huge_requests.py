"""A huge service request that a sweep finds has a task of its own, and it comes last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from demo.laboratory import connections
from operators.chunks import HUGE
from operators.service_requests import ChooseServiceRequestsOperator
from sandbox import Lab, SeedPlan
from tests.airflow.home import connect

TI: Any = SimpleNamespace(dag_id="pv_intake", run_id="run-1", task_id="choose", map_index=-1, try_number=1)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """Give a laboratory in which a huge request came first, and three small ones after it."""
    with sandbox.serve(seed_plan=SeedPlan(modules=HUGE, protocols=1)) as running:
        running.seed(SeedPlan(requests=3, modules=1, protocols=1, first=HUGE + 1))
        known = connections(running)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        yield running


def test_a_sweep_says_how_large_each_request_is_and_the_huge_one_has_the_last_task(lab: Lab) -> None:
    huge, *small = (request["id"] for request in lab.service_requests())
    choose = ChooseServiceRequestsOperator(task_id="choose", sweep="lims/samples", most_tasks=2)
    tasks = [task["service_requests"] for task in choose.execute({"ti": TI})]
    assert tasks == [small, [huge]]
    assert sorted(choose.sizes.values()) == [1, 1, 1, HUGE]
