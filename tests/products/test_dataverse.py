"""The documented traps of Dataverse: late persistence, failed and forgotten operation sets, one id for one key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from pv_testing.core.errors import IntegrationError
from pv_testing.core.records import Result
from pv_testing.integrations import PMClient
from pv_testing.ledger import Ledger
from pv_testing.providers.dataverse.provider import TASKS, guid_of
from sandbox.products import dataverse
from tests.products import pm as pm_clients
from tests.products.pm import task

CREATE, EXECUTE = "msdyn_PssCreateV1", "msdyn_ExecuteOperationSetV1"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.in_memory() as opened:
        yield opened


@contextmanager
def client(there: dataverse.Dataverse, folder: Path, ledger: Ledger, **options: Any) -> Iterator[PMClient]:
    """Give a client with the contract of Dataverse, whose deadlines are short."""
    section = {**there.section, "contract": "pm_dataverse"}
    stand_in = _Section(there.origin, {name: value for name, value in section.items() if name != "contract"})
    with pm_clients.client(stand_in, folder, ledger, contract="pm_dataverse", **options) as opened:
        yield opened


class _Section:
    def __init__(self, origin: str, section: dict[str, Any]) -> None:
        self.origin, self.section = origin, section

    def rows(self, kind: str) -> list[dict[str, Any]]:
        raise NotImplementedError(kind)


def open_sets(there: dataverse.Dataverse) -> int:
    """Return how many operation sets are open."""
    return len([row for row in there.tables.all(dataverse.SETS) if row["msdyn_status"] == dataverse.OPEN])


def test_a_task_is_reported_when_it_is_persisted(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path, ["persisted_late"]) as there, client(there, tmp_path, ledger) as pm:
        created = pm.create_task(**task(1))
        assert there.tables.get(TASKS, created["id"]) is not None
        assert created["external_id"] == "SR-2025-0001"


def test_the_same_key_has_the_same_id_in_every_ledger(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there:
        with client(there, tmp_path, ledger) as pm:
            first = pm.create_task(**task(1))["id"]
        with Ledger.in_memory() as forgetful, client(there, tmp_path, forgetful) as pm:
            assert pm.create_task(**task(1))["id"] == first == guid_of(TASKS, "SR-2025-0001")
        assert there.asked.count(CREATE) == 1
        assert len(there.rows("task")) == 1


def test_a_set_that_was_persisted_after_the_deadline_makes_no_second_task(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataverse, "LATE", 2.5)
    for limit in ("attempt_timeout", "total_timeout"):
        monkeypatch.setitem(pm_clients.LIMITS, limit, 1)
    with dataverse.serve(tmp_path, ["persisted_late"]) as there, client(there, tmp_path, ledger) as pm:
        report = pm.create_tasks([task(1)])
        for _ in range(5):
            if all(outcome.result.in_effect for outcome in report.outcomes):
                break
            report = pm.create_tasks([task(1)])
        assert all(outcome.result.in_effect for outcome in report.outcomes)
        assert [row["key"] for row in there.rows("task")] == ["SR-2025-0001"]


def test_a_set_that_failed_is_tried_once_more(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path, ["set_fails"]) as there, client(there, tmp_path, ledger) as pm:
        report = pm.create_tasks([task(number) for number in range(dataverse.EVERY_FAILS)])
        assert report.counts()["created"] == dataverse.EVERY_FAILS
        assert there.asked.count(EXECUTE) == dataverse.EVERY_FAILS + 1
        assert len(there.tables.all(dataverse.LOGS)) == 1


def test_what_the_scheduling_service_refuses_twice_waits_for_a_person(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        there.refused.add(guid_of(TASKS, "SR-2025-0001"))
        (outcome,) = pm.create_tasks([task(1)]).outcomes
        assert (outcome.result.in_effect, outcome.code) == (False, "SET_FAILED")
        assert "could not save the project" in outcome.reason
        assert (there.asked.count(EXECUTE), there.rows("task")) == (2, [])


def test_an_answer_that_the_gateway_lost_makes_no_second_task(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path, ["answer_lost", "persisted_late"]) as there, client(there, tmp_path, ledger) as pm:
        numbers = range(dataverse.EVERY_LOST + 1)
        report = pm.create_tasks([task(number) for number in numbers])
        assert all(outcome.result.in_effect for outcome in report.outcomes)
        assert sorted(row["key"] for row in there.rows("task")) == [f"SR-2025-{number:04}" for number in numbers]


def test_sets_that_killed_processes_left_open_are_abandoned(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there:
        for number in range(dataverse.MOST_OPEN):
            mine = "PV testing SR-2025-0002" if number else "of another program"
            row = {
                "msdyn_operationsetid": guid_of(dataverse.SETS, str(number)),
                "msdyn_status": dataverse.OPEN,
                "createdon": "2025-01-01T00:00:00Z",
                "msdyn_description": mine,
            }
            there.tables.put(dataverse.SETS, row["msdyn_operationsetid"], row)
        with client(there, tmp_path, ledger) as pm:
            pm.create_task(**task(1))
        assert open_sets(there) == 1  # that of the other program


def test_a_change_waits_while_others_have_too_many_sets_open(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there:
        opened = [open_set(there, number) for number in range(dataverse.MOST_OPEN)]
        closing = threading.Timer(1.0, there.tables.put, (dataverse.SETS, *closed(opened[0])))
        closing.start()
        with client(there, tmp_path, ledger) as pm:
            (outcome,) = pm.create_tasks([task(1)]).outcomes
        closing.join()
        assert outcome.result.in_effect
        assert open_sets(there) == dataverse.MOST_OPEN - 1


def test_a_refusal_is_not_final_where_a_set_was_closed_before_the_open_ones_were_counted(
    tmp_path: Path, ledger: Ledger
) -> None:
    with dataverse.serve(tmp_path) as there:
        first = open_set(there, 0)
        for number in range(1, dataverse.MOST_OPEN):
            open_set(there, number)
        there.closes_when_refused.append(first["msdyn_operationsetid"])
        with client(there, tmp_path, ledger) as pm:
            (outcome,) = pm.create_tasks([task(1)]).outcomes
        assert outcome.result.in_effect


def test_a_change_that_finds_too_many_sets_open_until_its_deadline_is_tried_again_later(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("attempt_timeout", "total_timeout"):
        monkeypatch.setitem(pm_clients.LIMITS, limit, 1)
    with dataverse.serve(tmp_path) as there:
        for number in range(dataverse.MOST_OPEN):
            open_set(there, number)
        with client(there, tmp_path, ledger) as pm:
            (outcome,) = pm.create_tasks([task(1)]).outcomes
        assert (outcome.result, there.rows("task")) == (Result.DEFERRED, [])


def open_set(there: dataverse.Dataverse, number: int) -> dict[str, Any]:
    """Open a set as a living process of another program does."""
    row = {
        "msdyn_operationsetid": guid_of(dataverse.SETS, str(number)),
        "msdyn_status": dataverse.OPEN,
        "createdon": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "msdyn_description": "of another program",
    }
    there.tables.put(dataverse.SETS, row["msdyn_operationsetid"], row)
    return row


def closed(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return an operation set as its program has left it, with its id."""
    return row["msdyn_operationsetid"], {**row, "msdyn_status": dataverse.FAILED}


def test_an_account_without_a_licence_is_refused_and_nothing_is_made(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there, client(there, tmp_path, ledger, caller="") as pm:
        with pytest.raises(IntegrationError, match="license"):
            pm.create_task(**task(1))
        assert there.rows("task") == []


def test_a_main_task_with_subtasks_has_its_status_in_a_column(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        parent = pm.create_task(**task(1))["id"]
        part = pm.create_subtask(parent, "PVTP-018: Thermal cycling", 40.5)["id"]
        pm.update_task(part, "COMPLETE", notes="12 of 12", actual_hours=1.26)
        pm.update_task(parent, "IN_PROGRESS")
        pm.update_project_progress("", 37.5, task_id=parent)
        main, below = there.rows("task")
        assert (main["status"], main["done"], main["progress"]) == ("IN_PROGRESS", False, 1.0)
        assert (below["status"], below["done"], below["parent"], below["hours"]) == (
            "COMPLETE",
            True,
            main["key"],
            40.5,
        )
        assert (there.tables.get(TASKS, parent) or {})["pv_progress"] == 37.5
        assert (there.tables.get(TASKS, part) or {})["pv_note"] == "12 of 12\n\n* Hours so far: 1.26"


def test_hours_are_whole_minutes_under_one_id(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        parent = pm.create_task(**task(1))["id"]
        for hours in (0.33, 0.33, 2):
            pm.log_time_entry(parent, "jane.doe@lab.example", "2025-11-20", hours, "Executed", execution_id="5670")
            (row,) = there.rows("time_entry")
            assert row["minutes"] == (120 if hours == 2 else 20)
        pm.log_resource_usage(parent, "Equipment", "TC-001", 1.5, "2025-11-20", execution_id="5670")
        assert sorted(row["key"] for row in there.rows("time_entry")) == ["5670", "5670/TC-001"]
        usage, entry = pm.find_resource_usage("5670/TC-001"), pm.find_time_entry("5670")
        assert usage is not None
        assert (usage["resource_id"], usage["usage_hours"]) == ("TC-001", 1.5)
        assert entry is not None
        assert entry["minutes"] == 120


def test_a_listing_goes_on_over_its_pages(tmp_path: Path, ledger: Ledger) -> None:
    with dataverse.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        pm.create_tasks([task(number) for number in range(2 * dataverse.PAGE + 1)])
        assert pm.find_task(f"SR-2025-{2 * dataverse.PAGE:04}") is not None
