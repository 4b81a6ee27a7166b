"""Runs of a DAG side by side: each service request is carried by one of them, and the others say so."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

import sandbox
from demo.laboratory import connections
from hooks.ledger import LedgerHook
from operators.exchange import PASSES, ExchangeOperator, continued, listed
from operators.nonconformances import ReportNonConformancesOperator
from operators.projects import CreateTasksOperator, LogHoursOperator
from operators.results import UploadResultsOperator
from operators.samples import CreateSamplesOperator
from operators.service_requests import ChooseServiceRequestsOperator
from pv_testing.core.errors import ExchangeIncomplete, IntegrationError, NetworkError, PermissionDenied, RequestLocked
from pv_testing.core.records import Outcome, Result
from pv_testing.exchange.report import Report
from pv_testing.samples.intake import CreateSamples
from pv_testing.workflow.request_locks import locked_subjects
from pv_testing.workflow.selection import UNDER_TEST
from pv_testing.workflow.sweep_backlog import SweepBacklog
from sandbox import Lab, SeedPlan
from tests.airflow.home import connect

UNFINISHED: set[str] = set()
"""The runs that are running."""


class TaskInstance:
    """A task instance of a run, as far as the operators ask it."""

    dag_id, task_id, map_index, try_number = "pv_intake", "task", -1, 1

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    def get_dr_count(self, dag_id: str, run_ids: list[str], states: list[str]) -> int:
        assert (dag_id, states) == (self.dag_id, ["queued", "running"])
        if "unheard" in run_ids:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": 500}))
        return len(UNFINISHED.intersection(run_ids))

    def xcom_push(self, **_: Any) -> None:
        """Take a value and forget it."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    UNFINISHED.clear()
    UNFINISHED.update({"first", "second"})
    with sandbox.serve(seed_plan=SeedPlan(requests=2, modules=1, protocols=1)) as running:
        known = connections(running)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(tmp_path / "ledger.sqlite")}}
        connect(monkeypatch, known)
        yield running


def choose(run_id: str, **options: Any) -> list[list[int]]:
    operator = ChooseServiceRequestsOperator(task_id="choose", **{"sweep": "lims/samples", **options})
    return [task["service_requests"] for task in operator.execute({"ti": TaskInstance(run_id)})]


def act(kind: type[ExchangeOperator], run_id: str, sr_id: int, **options: Any) -> dict[str, int]:
    operator = kind(task_id="task", service_requests=[sr_id], **options)
    counts = operator.execute({"ti": TaskInstance(run_id), "outlet_events": {}})["counts"]
    return {name: number for name, number in counts.items() if number}


def create(run_id: str, sr_id: int, **options: Any) -> dict[str, int]:
    return act(CreateSamplesOperator, run_id, sr_id, **options)


def test_a_run_leaves_the_requests_of_another_one_to_it_until_their_task_has_ended(lab: Lab) -> None:
    assert choose("first") == [[1], [2]]
    lab.seed(SeedPlan(requests=1, modules=1, protocols=1, first=3))
    assert choose("second") == [[3]]
    assert create("first", 1) == {"created": 1}
    lab.advance(1, "PROTOCOLS_ASSIGNED")
    assert choose("second") == [[1], [3]]
    assert create("second", 1) == {"unchanged": 1}


def test_what_a_run_that_has_ended_left_is_taken_by_the_next(lab: Lab) -> None:
    assert choose("first") == [[1], [2]]
    UNFINISHED.clear()
    assert choose("second") == [[1], [2]]


def test_a_request_that_is_wanted_by_name_waits_visibly_for_the_run_that_carries_it(lab: Lab) -> None:
    choose("first")
    for wanted in ("2", "SR-2025-0002"):
        with pytest.raises(RequestLocked, match=r"the run first .* is carrying the service request") as raised:
            choose("second", service_request=wanted)
        assert raised.value.key == "SR-2025-0002"
    create("first", 2)
    assert choose("second", service_request="2") == [[2]]


def test_a_cleared_task_of_an_earlier_run_waits_for_the_one_that_carries_its_request(lab: Lab) -> None:
    choose("first")
    with pytest.raises(RequestLocked):
        create("second", 1)
    assert lab.samples() == []
    assert create("first", 1) == {"created": 1}
    assert create("second", 1) == {"unchanged": 1}


def test_a_cleared_task_locks_its_requests_by_their_numbers_so_that_events_of_them_wait(lab: Lab) -> None:
    choose("first")
    lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "error", "status": 422, "times": 99})
    with pytest.raises(ExchangeIncomplete):
        create("first", 1)
    lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "error", "status": 503, "times": 99})
    with pytest.raises(IntegrationError):
        create("first", 1, replay=True)
    with LedgerHook("pv_ledger").get_conn() as ledger:
        assert locked_subjects(ledger, "pv_intake")["SR-2025-0001"] == "first"
    with pytest.raises(RequestLocked) as raised:
        create("second", 1)
    assert raised.value.key == "SR-2025-0001"


def test_a_dry_run_locks_nothing_and_is_not_locked_out(lab: Lab) -> None:
    assert choose("first", dry_run=True) == [[1], [2]]
    choose("second")
    assert choose("first", dry_run=True) == [[1], [2]]
    assert create("first", 1, dry_run=True) == {"created": 1}
    assert lab.samples() == []


def test_the_locks_of_a_run_count_where_airflow_does_not_say_whether_it_has_ended(lab: Lab) -> None:
    assert choose("unheard") == [[1], [2]]
    assert choose("second") == []


def test_tasks_of_a_dag_that_locks_nothing_are_never_locked_out(lab: Lab) -> None:
    CreateSamplesOperator(task_id="task", service_requests=[1]).execute(
        {"ti": TaskInstance("first"), "outlet_events": {}}
    )
    with LedgerHook().get_conn() as ledger:
        assert locked_subjects(ledger, "pv_intake") == {}
        assert ledger.state("locks/pv_intake", None) is None


@pytest.mark.parametrize(("status", "is_free"), [(503, False), (422, True)])
def test_a_request_stays_locked_while_another_try_of_its_task_may_mend_it(lab: Lab, status: int, is_free: bool) -> None:
    choose("first")
    lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "error", "status": status, "times": 99})
    with pytest.raises(IntegrationError):
        create("first", 1)
    assert (1 in [sr_id for task in choose("second") for sr_id in task]) is is_free


@pytest.mark.parametrize("closed", [False, True])
def test_what_changes_while_a_run_carries_a_request_is_carried_by_that_run_too(lab: Lab, closed: bool) -> None:
    create("first", 1)
    lab.advance(1, "PROTOCOLS_ASSIGNED")
    lab.run_executions(1)
    results = {"sweep": "lims/results", "states": UNDER_TEST, "executions": "COMPLETE"}
    assert choose("first", **results) == [[1]]
    if closed:
        lab.advance(1, "CLOSED")
    lab.faults("lims", {"route": "POST /api/v2/*results*", "kind": "delay", "seconds": 3, "times": 1})
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(act, UploadResultsOperator, "first", 1)
        while not (upload.done() or lab.fault_report("lims")[0]["hits"]):
            time.sleep(0.05)
        (execution,) = lab.framework_rows("SELECT execution_id AS id FROM executions WHERE sr_id = 1")
        lab.correct(int(execution["id"]), {"Pmax": {"value": 401.0, "unit": "W"}})
        assert choose("second", **results) == []
        assert upload.result(60) == {"updated": 1}
    assert act(UploadResultsOperator, "second", 1) == {"unchanged": 1}
    assert len(lab.results()) == 2


def test_what_nobody_has_seen_changed_is_carried_once(lab: Lab) -> None:
    lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "error", "status": 422, "times": 99})
    with pytest.raises(IntegrationError):
        create("first", 1, replay=True)
    assert lab.fault_report("lims")[0]["hits"] == 1


class Restless(CreateSamples):
    """A step whose requests another run sees changed whenever it reads them."""

    async def carry(self) -> Report:
        changed = {each.sr_number for each in self.requests}
        other = SweepBacklog(self.ledger, self.sweep)
        other.change(lambda kept: other.mark(kept, {}, changed, self.ledger.now()))
        return await super().carry()


class RestlessOperator(CreateSamplesOperator):
    """Runs that step."""

    def step(self) -> type[Restless]:
        return Restless


def test_what_changes_all_the_while_is_left_to_a_later_run(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    choose("first")
    assert act(RestlessOperator, "first", 1) == {"created": 1}
    assert capsys.readouterr().out.count("carried once more") == PASSES - 1
    assert choose("second") == [[1]]


def test_a_report_that_only_a_later_pass_has_is_shown_and_none_takes_in_another_one() -> None:
    first = [Report(name, "erp") for name in ("create_invoice", "post_invoice", "create_customer")]
    later = [Report(name, "erp") for name in ("create_invoice", "post_invoice", "write_e_invoice")]
    later[-1].add([Outcome("SR-1", Result.REJECTED)])
    reports = continued(first, later)
    assert [report.operation for report in reports] == [
        "create_invoice",
        "post_invoice",
        "create_customer",
        "write_e_invoice",
    ]
    assert [report.total() for report in reports] == [0, 0, 0, 1]


def test_what_is_corrected_while_a_run_carries_its_request_leaves_the_task_green(lab: Lab) -> None:
    serials(lab, "A", None)
    assert choose("first") == [[1], [2]]
    with corrected_meanwhile(lab) as creation:
        assert creation.result(60) == {"created": 2}


@contextmanager
def corrected_meanwhile(lab: Lab) -> Iterator[Future[dict[str, int]]]:
    """Let the first run create the samples of a request that is corrected meanwhile, which the second run sees."""
    lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "delay", "seconds": 3, "times": 1})
    with ThreadPoolExecutor(1) as pool:
        creation = pool.submit(create, "first", 1)
        while not (creation.done() or lab.fault_report("lims")[0]["hits"]):
            time.sleep(0.05)
        serials(lab, "A", "B")
        choose("second")
        yield creation


def serials(lab: Lab, *numbers: str | None) -> None:
    with closing(sqlite3.connect(lab.settings.database("framework"))) as connection, connection:
        sql = "UPDATE service_requests SET module = json_set(module, '$.serial_numbers', json(?)), updated_at = ?"
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        connection.execute(f"{sql} WHERE id = 1", (json.dumps(numbers), at))


def test_a_task_that_fails_while_it_carries_once_more_still_says_what_it_did(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    choose("first")
    with corrected_meanwhile(lab) as creation:
        lab.faults("framework", {"route": "GET /api/v1/service-requests/1", "kind": "drop_before"})
        with pytest.raises(NetworkError):
            creation.result(60)
    lab.faults("framework")
    assert "created            1" in capsys.readouterr().out
    assert [1] not in choose("second")
    assert create("first", 1) == {"created": 2}


def test_a_task_that_is_refused_for_one_request_holds_back_none_of_the_others(lab: Lab) -> None:
    choose("first", service_request="2")
    cleared = CreateSamplesOperator(task_id="task", service_requests=[1, 2])
    with pytest.raises(RequestLocked):
        cleared.execute({"ti": TaskInstance("second"), "outlet_events": {}})
    assert choose("first") == [[1], [2]]


def test_a_task_that_no_other_try_can_mend_holds_back_nothing_after_its_end(lab: Lab) -> None:
    create("first", 1)
    lab.advance(1, "PROTOCOLS_ASSIGNED")
    lab.run_executions(1)
    results = {"sweep": "lims/results", "states": UNDER_TEST, "executions": "COMPLETE"}
    assert choose("first", **results) == [[1]]
    lab.faults("framework", {"route": "GET /api/v1/executions", "kind": "error", "status": 403})
    with pytest.raises(PermissionDenied):
        act(UploadResultsOperator, "first", 1)
    lab.faults("framework")
    assert choose("second", **results) == [[1]]


def aborting(kind: type[ExchangeOperator], lab: Lab) -> type[ExchangeOperator]:
    """Make an operator; an execution that its step has refused is aborted, and another run sees that at once."""

    class Aborting(kind(task_id="any").step()):  # type: ignore[misc]
        async def carry(self) -> Report | list[Report]:
            reports = await super().carry()
            if any(report.not_in_effect() for report in listed(reports)):
                in_framework(lab, "UPDATE executions SET status = 'ABORTED'")
                numbers = {each.sr_number for each in self.requests}
                other = SweepBacklog(self.ledger, self.sweep)
                other.change(lambda kept: other.mark(kept, {}, numbers, self.ledger.now()))
            return reports

    class AbortingOperator(kind):  # type: ignore[misc, valid-type]
        def step(self) -> type[Aborting]:
            return Aborting

    return AbortingOperator


@pytest.mark.parametrize("kind", [UploadResultsOperator, ReportNonConformancesOperator, LogHoursOperator])
def test_what_is_refused_of_an_execution_that_is_aborted_meanwhile_leaves_the_task_green(
    lab: Lab, kind: type[ExchangeOperator]
) -> None:
    lab.advance(1, "PROTOCOLS_ASSIGNED")
    act(CreateTasksOperator, "first", 1)
    create("first", 1)
    lab.run_executions(1)
    wrong = "completed_at = '2020-01-01T00:00:00Z', qc_status = 'MAYBE', results = '{\"Pmax\": 7}'"
    in_framework(lab, f"UPDATE executions SET {wrong}")
    sweep = kind(task_id="any").step().sweep
    assert choose("first", sweep=sweep, service_request="1") == [[1]]
    assert act(aborting(kind, lab), "first", 1) == {}


def in_framework(lab: Lab, sql: str) -> None:
    with closing(sqlite3.connect(lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql)
