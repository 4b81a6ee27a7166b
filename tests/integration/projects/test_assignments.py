"""Shows that subtasks are assigned evenly to operators, and wait or stay unassigned where there are none."""

from __future__ import annotations

import json
from collections import Counter

from pv_testing.projects import ProjectRules
from tests.integration.projects.steps import RULES, counts


def test_operators_are_assigned_evenly_and_stay(laboratory):
    projects = laboratory(requests=2, modules=1, protocols=4)
    for sr_id in (1, 2):
        projects.lab.advance(sr_id, "PROTOCOLS_ASSIGNED")
    projects.create()
    names = [task["assignee"] for key, task in projects.kept("tasks").items() if "/" in key]
    assert Counter(names) == {
        "jane.doe@lab.example": 3,
        "marco.rossi@lab.example": 3,
        "keiko.tanaka@lab.example": 2,
    }
    before = len(projects.writes())
    projects.lab.run_executions(1)
    projects.update()
    written = len(projects.writes())
    assert written > before
    assert counts(projects.create()) == {"unchanged"}
    assert len(projects.writes()) == written
    # What is done is no load any more: Keiko Tanaka has one open subtask, the others have one or two.
    kept = json.loads(projects.ledger.watermark("pm/assignments"))
    assert set(kept) == {"SR-2025-0002"}


def test_what_is_deleted_is_no_load_any_more(laboratory):
    projects = laboratory(requests=3, modules=1, protocols=3)
    for sr_id in (1, 2, 3):
        projects.lab.advance(sr_id, "PROTOCOLS_ASSIGNED")
    projects.create(1, 2, 3)
    for sr_id in (1, 2):
        projects.framework.delete_service_request(sr_id)
    projects.update(1, 2, 3, dry_run=True)
    assert len(json.loads(projects.ledger.watermark("pm/assignments"))) == 3
    projects.update(1, 2, 3)
    assert set(json.loads(projects.ledger.watermark("pm/assignments"))) == {"SR-2025-0003"}
    assert {key[:12] for key in projects.kept("tasks")} == {f"SR-2025-000{number}" for number in (1, 2, 3)}


def test_nobody_to_assign_leaves_the_subtask_unassigned(laboratory):
    projects = laboratory(modules=1, protocols=1)
    projects.rules = ProjectRules.of({"roles": ["technician"]})
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    _, inner = projects.create()
    inner.raise_for_waiting()
    assert inner.notes == ["1 subtasks are planned without an assignee: no active user had one of the roles"]
    assert projects.task("SR-2025-0001/PVTP-001")["assignee"] is None
    projects.rules = RULES
    assert counts(projects.create()) == {"unchanged"}


def test_subtasks_wait_while_the_framework_refuses_to_list_its_users_and_are_assigned_afterwards(laboratory):
    projects = laboratory(modules=1, protocols=3)
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    refused = {"route": "GET /api/v1/users", "kind": "error", "status": 403}
    projects.lab.faults("framework", refused)
    main, inner = projects.create()
    main.raise_for_waiting()
    waiting = [(outcome.key, outcome.result.value, outcome.code) for outcome in inner.not_in_effect()]
    assert waiting == [(f"SR-2025-0001/PVTP-00{place}", "deferred", "USERS_REFUSED") for place in (1, 2, 3)]
    assert inner.notes == []
    assert projects.ledger.watermark("pm/assignments") is None
    projects.lab.faults("framework")
    for report in projects.create():
        report.raise_for_waiting()
    names = {key: task["assignee"] for key, task in projects.kept("tasks").items() if "/" in key}
    assert len(names) == 3
    assert None not in names.values()
    # What is decided needs no users any more.
    projects.lab.faults("framework", refused)
    assert counts(projects.create()) == {"unchanged"}


def test_where_nobody_is_to_be_assigned_no_users_are_asked_for(laboratory):
    projects = laboratory(modules=1, protocols=1)
    projects.rules = ProjectRules.of({"roles": []})
    projects.lab.advance(1, "PROTOCOLS_ASSIGNED")
    projects.lab.faults("framework", {"route": "GET /api/v1/users", "kind": "error", "status": 403})
    for report in projects.create():
        report.raise_for_waiting()
    assert projects.task("SR-2025-0001/PVTP-001")["assignee"] is None
