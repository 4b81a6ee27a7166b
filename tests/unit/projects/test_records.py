"""What project management is told of a service request."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pv_testing.contracts.load import load_contract
from pv_testing.projects import ProjectRules, work_of
from pv_testing.projects import records as made
from tests.unit.projects.laboratory import SERIALS, execution, request

BERLIN = ProjectRules.of({}, ZoneInfo("Europe/Berlin"))
PROTOCOLS = {"PVTP-018": {"protocol_id": "PVTP-018", "name": "Thermal cycling", "duration_hours": 840}}
USERS = {"42": {"id": 42, "email": "jane@lab"}}


def test_a_main_task_is_about_the_request():
    record = made.main_task(request(), BERLIN)
    assert record.key == record.data["task_key"] == "SR-2025-0123"
    assert {name: record.data[name] for name in ("project_id", "title", "description", "assignee")} == {
        "project_id": "PROJ-2025-001",
        "title": "PV Testing - SR-2025-0123",
        "description": "Testing for Solar Corporation",
        "assignee": "pm@lab.example",
    }
    # 23:30 UTC is the next day in Berlin; the wished day is nobody's to shift.
    assert (record.data["start_date"], record.data["due_date"]) == ("2025-11-02", "2025-12-15")


def test_a_wished_day_with_a_time_keeps_its_day_and_times_without_zone_are_utc():
    record = made.main_task(
        request(delivery_date="2025-12-15T23:59:00-08:00", created_at="2025-11-01T22:59:59"), BERLIN
    )
    assert (record.data["start_date"], record.data["due_date"]) == ("2025-11-01", "2025-12-15")


def test_a_request_without_project_belongs_to_the_laboratorys():
    rules = ProjectRules.of({"project": "PV-LAB"})
    assert made.main_task(request(project_id=""), rules).data["project_id"] == "PV-LAB"
    subtask = made.subtask(request(project_id=""), "PVTP-018", PROTOCOLS, "7", "", rules)
    assert subtask.data["project_id"] == "PV-LAB"


def test_a_day_that_cannot_be_read_waits():
    assert made.main_task(request(created_at="soon"), BERLIN).problem.code == "NOT_A_TIME"


def test_a_subtask_is_known_by_request_and_protocol():
    record = made.subtask(request(), "PVTP-018", PROTOCOLS, "7", "jane@lab", BERLIN)
    assert record.key == "SR-2025-0123/PVTP-018"
    assert {name: record.data[name] for name in ("title", "parent_task_id", "estimated_hours", "assignee")} == {
        "title": "PVTP-018: Thermal cycling",
        "parent_task_id": "7",
        "estimated_hours": 840,
        "assignee": "jane@lab",
    }
    assert made.subtask(request(), "PVTP-099", PROTOCOLS, "7", "", BERLIN).problem.code == "PROTOCOL_UNKNOWN"


def test_a_failed_protocol_is_complete_with_its_hours_and_a_note():
    runs = [execution(qc_status="FAIL"), execution(serial=SERIALS[1], hours=2)]
    (work,) = work_of(request(["PVTP-018"], SERIALS[:2]), runs)
    record = made.subtask_status(request(), work, "7", BERLIN)
    assert (record.data["status"], record.data["actual_hours"]) == ("COMPLETE", 10)
    assert record.data["completion_date"] == "2025-12-17"
    assert record.data["notes"].endswith(f"QC Status: 1 PASS, 1 FAIL. Failed: {SERIALS[0]}")


def test_work_under_way_has_cumulative_hours_and_no_end():
    (work,) = work_of(request(["PVTP-018"], SERIALS[:2]), [execution()])
    record = made.subtask_status(request(), work, "7", BERLIN)
    assert (record.data["status"], record.data["actual_hours"]) == ("IN_PROGRESS", 8)
    assert "completion_date" not in record.data


def test_hours_of_people_and_of_equipment_are_apart():
    run = execution(equipment={"chamber": {"id": "TC-001"}, "meter": "DMM-001", "spare": "DMM-001"})
    entry = made.time_entry(run, "7", PROTOCOLS, USERS, BERLIN)
    assert (entry.key, entry.data["user"], entry.data["hours"]) == (run.execution_id, "jane@lab", 8)
    # It started at 22:30 UTC, which is 23:30 in Berlin: still the twelfth.
    assert entry.data["date"] == "2025-11-12"
    assert entry.data["description"] == f"Executed Thermal cycling on {SERIALS[0]}"
    usage = list(made.resource_usage(run, "7", BERLIN))
    assert [each.key for each in usage] == [f"{run.execution_id}/TC-001", f"{run.execution_id}/DMM-001"]
    assert {(each.data["usage_hours"], each.data["resource_type"]) for each in usage} == {(840, "Equipment")}


@pytest.mark.parametrize(("zone", "day"), [("Asia/Tokyo", "2025-11-13"), ("America/Denver", "2025-11-12")])
def test_the_day_of_hours_is_the_laboratorys(zone, day):
    rules = ProjectRules.of({}, ZoneInfo(zone))
    assert made.time_entry(execution(), "7", PROTOCOLS, USERS, rules).data["date"] == day
    assert next(iter(made.resource_usage(execution(), "7", rules))).data["date"] == day


def test_hours_without_times_wait_and_go_once_they_are_entered():
    run = execution(completed_at=None)
    entry = made.time_entry(run, "7", PROTOCOLS, USERS, BERLIN)
    (usage,) = made.resource_usage(run, "7", BERLIN)
    assert (entry.problem.code, usage.problem.code) == ("TIMES_MISSING", "TIMES_MISSING")
    assert "completed_at" in str(entry.problem)


@pytest.mark.parametrize("contract", ["pm_custom", "pm_redmine"])
def test_every_record_can_be_told_to_every_product(contract):
    run, works = execution(), work_of(request(["PVTP-018"]), [execution()])
    hours = {"PVTP-018": Decimal(840)}
    records = {
        "create_task": made.main_task(request(), BERLIN),
        "create_subtask": made.subtask(request(), "PVTP-018", PROTOCOLS, "7", "", BERLIN),
        "update_task": made.subtask_status(request(), works[0], "8", BERLIN),
        "update_project_progress": made.progress(request(), works, "7", BERLIN, hours),
        "log_time_entry": made.time_entry(run, "8", PROTOCOLS, USERS, BERLIN),
        "log_resource_usage": next(iter(made.resource_usage(run, "8", BERLIN))),
    }
    spoken = load_contract(contract, {})
    for operation, record in records.items():
        assert record.problem is None
        assert spoken.operation(operation).prepare(record.data)
    closing = made.main_status(request(), works, "7", closed=True)
    assert spoken.operation("update_task").prepare(closing.data)["notes"].endswith("PVTP-018 1 of 12.")
