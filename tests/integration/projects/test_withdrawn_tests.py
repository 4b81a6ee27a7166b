"""Shows that a withdrawn test is expected no longer, and completes its subtask where there is one."""

from __future__ import annotations

import json

from tests.integration.projects.steps import in_framework, remembered


def test_a_withdrawn_test_is_expected_no_longer(laboratory):
    projects = laboratory(modules=2, protocols=3)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    for protocol in ("PVTP-002", "PVTP-003"):
        projects.lab.withdraw(1, protocol)
    projects.lab.run_executions(1, fraction=2 / 6)
    projects.all()
    tasks = projects.kept("tasks")
    assert [(tasks[f"SR-2025-0001/PVTP-00{place}"]["status"]) for place in (1, 2, 3)] == [
        "IN_PROGRESS",
        "COMPLETE",
        "COMPLETE",
    ]
    assert tasks["SR-2025-0001/PVTP-003"]["notes"] == "Withdrawn. 0 of 0 executions complete."
    assert projects.kept("progress")["SR-2025-0001"]["progress_percent"] == 83.3
    in_framework(projects, "UPDATE service_requests SET status = 'CLOSED'")
    statuses, _ = projects.update()
    assert [outcome.key for outcome in statuses.not_in_effect()] == ["SR-2025-0001"]
    projects.lab.withdraw(1, "PVTP-001")
    projects.update(replay=True)
    assert projects.task("SR-2025-0001")["notes"] == "SR-2025-0001 is closed."


def test_a_test_that_is_taken_off_the_list_is_withdrawn(laboratory):
    projects = laboratory(modules=2, protocols=3, failures=0)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    projects.lab.run_executions(1, fraction=2 / 6)
    projects.framework.update_service_request(1, testing={"protocols": ["PVTP-002"]})
    in_framework(projects, "DELETE FROM executions WHERE protocol_id = 'PVTP-003'")
    projects.all()
    tasks = projects.kept("tasks")
    assert {key[-8:]: (task["status"], task.get("notes")) for key, task in tasks.items() if "/" in key} == {
        "PVTP-001": ("COMPLETE", "Withdrawn. 1 of 1 executions complete. QC Status: 1 PASS"),
        "PVTP-002": ("IN_PROGRESS", "1 of 2 executions complete. QC Status: 1 PASS"),
        "PVTP-003": ("COMPLETE", "Withdrawn. 0 of 0 executions complete."),
    }
    assert projects.kept("progress")["SR-2025-0001"]["progress_percent"] == 83.3
    assert len(projects.kept("time_entries")) == 2
    assert set(json.loads(projects.ledger.watermark("pm/assignments"))["SR-2025-0001"]) == {"PVTP-002"}
    projects.lab.run_executions(1)
    projects.lab.advance(1, "CLOSED")
    projects.all()
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
    assert remembered(projects) == [[], []]


def test_a_test_that_is_taken_off_the_list_before_its_subtask_was_created_needs_none(laboratory):
    projects = laboratory(modules=1, protocols=2)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.lab.faults("pm", {"route": "POST /api/tasks/*/subtasks", "kind": "error", "status": 422})
    _, inner = projects.create()
    assert inner.counts()["rejected"] == 2
    projects.lab.faults("pm")
    projects.framework.update_service_request(1, testing={"protocols": ["PVTP-001"]})
    in_framework(projects, "DELETE FROM executions WHERE protocol_id = 'PVTP-002'")
    projects.create(replay=True)
    projects.lab.run_executions(1)
    projects.lab.advance(1, "CLOSED")
    projects.all()
    assert set(projects.kept("tasks")) == {"SR-2025-0001", "SR-2025-0001/PVTP-001"}
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
