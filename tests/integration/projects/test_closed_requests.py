"""Shows that a closed request gets its last tasks, statuses and hours before the sweeps let it go."""

from __future__ import annotations

from pv_testing.projects.tasks import HOURS_SWEEP, STATUS_SWEEP, TASK_SWEEP
from tests.integration.projects.steps import counts, remembered


def test_the_main_task_is_complete_after_the_request_is_closed_and_the_sweeps_let_go(laboratory):
    projects = laboratory(state="complete", modules=2, protocols=2)
    projects.all()
    assert remembered(projects) == [[1], [1]]
    projects.lab.advance(1, "CLOSED")
    projects.all()
    main = projects.task("SR-2025-0001")
    assert (main["status"], main["notes"]) == ("COMPLETE", "SR-2025-0001 is closed.")
    assert remembered(projects) == [[], []]
    assert counts(projects.all()) == {"unchanged"}


def test_a_request_that_is_closed_between_two_sweeps_gets_its_last_update_and_its_hours(laboratory):
    projects = laboratory(modules=1, protocols=2)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    projects.lab.run_executions(1)
    projects.lab.advance(1, "CLOSED")
    ids = remembered(projects)
    assert ids == [[1], [1]]
    reports = [*projects.update(*ids[0]), *projects.hours(*ids[1])]
    assert counts(reports) == {"created", "updated"}
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
    assert len(projects.kept("time_entries")) == 2
    assert remembered(projects) == [[], []]


def test_tasks_that_are_refused_are_still_created_after_the_request_is_closed(laboratory):
    projects = laboratory(state="complete", modules=1, protocols=2)
    projects.lab.faults("pm", {"route": "POST /api/tasks", "kind": "error", "status": 422, "times": 1})
    projects.create()
    projects.lab.advance(1, "CLOSED")
    assert remembered(projects, TASK_SWEEP) == [[1]]
    projects.create(*remembered(projects, TASK_SWEEP)[0], replay=True)
    assert set(projects.kept("tasks")) == {"SR-2025-0001", "SR-2025-0001/PVTP-001", "SR-2025-0001/PVTP-002"}
    projects.all()
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
    assert remembered(projects, TASK_SWEEP, STATUS_SWEEP, HOURS_SWEEP) == [[], [], []]


def test_a_request_that_goes_from_its_beginning_to_its_end_between_two_sweeps_loses_nothing(laboratory):
    projects = laboratory(modules=1, protocols=2)
    projects.all()
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.lab.run_executions(1)
    projects.lab.advance(1, "CLOSED")
    projects.create(*remembered(projects, TASK_SWEEP)[0])
    ids = remembered(projects)
    assert ids == [[1], [1]]
    for report in [*projects.update(*ids[0]), *projects.hours(*ids[1])]:
        report.raise_for_waiting()
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
    assert len(projects.kept("time_entries")) == 2
    assert remembered(projects, TASK_SWEEP, STATUS_SWEEP, HOURS_SWEEP) == [[], [], []]


def test_a_request_that_is_closed_with_a_test_undone_waits_for_a_person(laboratory):
    projects = laboratory(modules=2, protocols=1)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.create()
    projects.lab.run_executions(1, fraction=0.5)
    projects.lab.advance(1, "CLOSED")
    statuses, _ = projects.update()
    waiting = [(outcome.key, outcome.result.value, outcome.code) for outcome in statuses.not_in_effect()]
    assert waiting == [("SR-2025-0001", "rejected", "SUBTASKS_OPEN")]
    assert remembered(projects)[0] == [1]
    (inner,) = projects.pm.list("get_tasks", external_id="SR-2025-0001/PVTP-001")
    projects.pm.call("update_task", task_id=inner["id"], status="COMPLETE")
    projects.update(replay=True)
    main = projects.task("SR-2025-0001")
    assert main["status"] == "COMPLETE"
    assert main["notes"] == "SR-2025-0001 is closed. Not all executions were complete: PVTP-001 1 of 2."
    assert remembered(projects)[0] == []


def test_a_main_task_waits_for_a_subtask_whose_last_update_was_refused(laboratory):
    projects = laboratory(state="complete", modules=1, protocols=2)
    projects.create()
    projects.lab.advance(1, "CLOSED")
    refused = {"route": "PUT /api/tasks/TASK-000002/status", "kind": "error", "status": 422, "times": 1}
    projects.lab.faults("pm", refused)
    statuses, _ = projects.update()
    codes = {outcome.key: outcome.result.value for outcome in statuses.not_in_effect()}
    assert codes == {"SR-2025-0001/PVTP-001": "rejected", "SR-2025-0001": "deferred"}
    assert remembered(projects)[0] == [1]
    statuses, _ = projects.update(replay=True)
    statuses.raise_for_waiting()
    assert projects.task("SR-2025-0001")["status"] == "COMPLETE"
    assert remembered(projects)[0] == []
