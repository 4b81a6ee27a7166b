"""Shows that hours are entered by the rules of the laboratory, for its people and its days, or wait visibly."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from pv_testing.core.errors import ExchangeIncomplete
from pv_testing.projects import ProjectRules
from tests.integration.projects.steps import EQUIPMENT_HOURS, counts, executions, in_framework

OPERATOR_HOURS = 2 + 6 + 3 + 1 + 3 + 6 + 8 + 5 + 3 + 8 + 1 + 0.5


def test_the_lab_of_twelve_by_twelve_comes_to_its_known_hours(laboratory):
    projects = laboratory(state="complete", failures=0)
    projects.all()
    tasks, entries, usage = (projects.kept(table) for table in ("tasks", "time_entries", "resource_usage"))
    assert len(tasks) == 13
    assert len(entries) == 144
    assert sum(entry["hours"] for entry in entries.values()) == 12 * OPERATOR_HOURS
    by_execution = {key.partition("/")[0]: used["usage_hours"] for key, used in usage.items()}
    assert sum(by_execution.values()) == 12 * EQUIPMENT_HOURS
    assert len(usage) == sum(len(json.loads(e["equipment"])) for e in executions(projects))
    assert projects.kept("progress")["SR-2025-0001"]["progress_percent"] == 100.0
    thermal = projects.task("SR-2025-0001/PVTP-018")
    assert (thermal["status"], thermal["estimated_hours"], thermal["actual_hours"]) == ("COMPLETE", 840.0, 72.0)
    assert thermal["history"][-1]["notes"] == "12 of 12 executions complete. QC Status: 12 PASS"


def test_times_that_are_corrected_correct_the_hours_that_were_entered(laboratory):
    projects = laboratory(state="complete", modules=1, protocols=1)
    projects.all()
    (execution,) = executions(projects)
    in_framework(projects, "UPDATE executions SET completed_at = '2025-11-13T05:30:00Z'")
    projects.all()
    (entry,) = projects.kept("time_entries").values()
    assert (entry["hours"], projects.task("SR-2025-0001/PVTP-001")["actual_hours"]) == (1.5, 1.5)
    assert {used["usage_hours"] for used in projects.kept("resource_usage").values()} == {1.5}
    in_framework(projects, "UPDATE executions SET completed_at = started_at, status = 'STOPPED'")
    times, _ = projects.hours()
    number = execution["execution_id"]
    assert times.notes == [
        f"no hours are entered for executions that ended without results: {number}",
        f"hours stay entered of executions that have no results any more: {number}; see to them there",
    ]


def test_an_operator_without_an_address_is_sent_by_id_and_waits_instead_of_being_dropped(laboratory):
    projects = laboratory(modules=1, protocols=1)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    order = {"sr_id": 1, "module_id": "AST2025M400001", "equipment": {"tracer": "IVT-001"}, "parameters": {}}
    started = projects.framework.execute_protocol("PVTP-001", operator_id=4711, **order)
    projects.lab.run_executions(1)
    times, usages = projects.hours()
    usages.raise_for_waiting()
    (waiting,) = times.not_in_effect()
    assert (waiting.key, waiting.code) == (str(started["execution_id"]), "USER_UNKNOWN")
    assert "4711" in waiting.reason
    with pytest.raises(ExchangeIncomplete):
        times.raise_for_waiting()


def test_dates_are_those_of_the_laboratory(laboratory):
    projects = laboratory(state="complete", modules=1, protocols=1)
    projects.rules = ProjectRules.of({}, ZoneInfo("Pacific/Kiritimati"))
    projects.all()
    # It began at 04:00 UTC and ended at 06:00 UTC on the thirteenth; there it was the evening of the same day.
    (entry,) = projects.kept("time_entries").values()
    assert entry["date"] == "2025-11-13"
    assert projects.task("SR-2025-0001")["start_date"] == "2025-09-01"
    projects.rules = ProjectRules.of({}, ZoneInfo("Pacific/Honolulu"))
    projects.all()
    (entry,) = projects.kept("time_entries").values()
    assert entry["date"] == "2025-11-12"
    assert projects.task("SR-2025-0001")["start_date"] == "2025-08-31"


def test_hours_and_updates_wait_for_their_tasks(laboratory):
    projects = laboratory(state="complete", modules=1, protocols=1)
    reports = [*projects.update(), *projects.hours()]
    codes = {outcome.code for report in reports for outcome in report.outcomes}
    assert codes == {"TASK_UNKNOWN"}
    assert counts(reports) == {"deferred"}
    projects.all()


def test_a_protocol_that_was_tested_but_not_assigned_is_shown(laboratory):
    projects = laboratory(modules=1, protocols=1)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    order = {"sr_id": 1, "module_id": "AST2025M400001", "operator_id": 42, "equipment": {"tracer": "IVT-001"}}
    projects.framework.execute_protocol("PVTP-044", **order, parameters={})
    projects.lab.run_executions(1)
    times, usages = projects.hours()
    assert [outcome.code for outcome in times.not_in_effect()] == ["PROTOCOL_NOT_ASSIGNED"]
    assert [outcome.code for outcome in usages.not_in_effect()] == ["PROTOCOL_NOT_ASSIGNED"]
