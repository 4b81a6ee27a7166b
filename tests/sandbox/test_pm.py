"""The sandbox PM is strict about tokens, scopes, people and open subtasks; it takes doubles, so that they show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Lab

PM = "pm"
JANE = "jane.doe@lab.example"


@pytest.fixture
def pm(lab: Lab, anyone: Any) -> Iterator[Any]:
    with anyone(lab.url(PM), {"Authorization": f"Bearer {lab.credentials.pm_token}"}) as caller:
        yield caller
    lab.faults(PM)


@pytest.fixture
def task(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A valid task that no other test uses."""
    return {"external_id": f"SR-{request.node.name}", "project_id": "PROJ-1", "title": "PV Testing"}


def made(pm: Any, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = pm.post(path, json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


def refusal(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_scopes_are_asked_for(lab: Lab, anyone: Any, task: dict[str, Any]) -> None:
    reader = anyone(lab.url(PM), {"Authorization": f"Bearer {lab.credentials.pm_reader_token}"})
    assert reader.get("/tasks").status_code == 200
    assert refusal(reader.post("/tasks", json=task)) == (403, "PERMISSION_DENIED")
    assert refusal(reader.post("/time-entries/bulk", json={"items": [{}]})) == (403, "PERMISSION_DENIED")
    assert refusal(anyone(lab.url(PM)).get("/tasks")) == (401, "AUTHENTICATION_FAILED")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"colour": "red"}, "VALIDATION_ERROR"),
        ({"project_id": ""}, "VALIDATION_ERROR"),
        ({"start_date": "2025-11-12T10:00:00Z"}, "VALIDATION_ERROR"),
        ({"start_date": "2025-12-02", "due_date": "2025-12-01"}, "VALIDATION_ERROR"),
        ({"assignee": "nobody@lab.example"}, "USER_UNKNOWN"),
        ({"assignee": "former@lab.example"}, "USER_UNKNOWN"),
    ],
)
def test_a_task_that_is_not_valid_is_refused(pm: Any, task: dict[str, Any], change: dict[str, Any], code: str) -> None:
    assert refusal(pm.post("/tasks", json={**task, **change})) == (422, code)


def test_a_subtask_needs_a_main_task(pm: Any, task: dict[str, Any]) -> None:
    subtask = {"external_id": f"{task['external_id']}/PVTP-001", "title": "PVTP-001"}
    assert refusal(pm.post("/tasks/TASK-999999/subtasks", json=subtask)) == (404, "RESOURCE_NOT_FOUND")
    main = made(pm, "/tasks", task)
    inner = made(pm, f"/tasks/{main['id']}/subtasks", subtask)
    assert (inner["parent_id"], inner["project_id"]) == (main["id"], "PROJ-1")
    assert refusal(pm.post(f"/tasks/{inner['id']}/subtasks", json=subtask)) == (409, "INVALID_PARENT")


def test_a_main_task_is_complete_only_after_its_subtasks(pm: Any, task: dict[str, Any]) -> None:
    main = made(pm, "/tasks", task)
    inner = made(pm, f"/tasks/{main['id']}/subtasks", {"external_id": "1", "title": "PVTP-001"})
    assert refusal(pm.put(f"/tasks/{main['id']}/status", json={"status": "COMPLETE"})) == (409, "SUBTASKS_OPEN")
    assert pm.put(f"/tasks/{inner['id']}/status", json={"status": "COMPLETE"}).status_code == 200
    assert pm.put(f"/tasks/{main['id']}/status", json={"status": "COMPLETE"}).json()["closed_at"]
    reopened = pm.put(f"/tasks/{inner['id']}/status", json={"status": "IN_PROGRESS"})
    assert refusal(reopened) == (409, "INVALID_TRANSITION")
    late = pm.post(f"/tasks/{main['id']}/subtasks", json={"external_id": "2", "title": "PVTP-002"})
    assert refusal(late) == (409, "INVALID_TRANSITION")


def test_every_note_is_kept_so_that_a_double_shows(pm: Any, task: dict[str, Any]) -> None:
    main = made(pm, "/tasks", task)
    for _ in range(2):
        pm.put(f"/tasks/{main['id']}/status", json={"status": "IN_PROGRESS", "notes": "begun", "actual_hours": 2.5})
    kept = pm.get(f"/tasks/{main['id']}").json()
    assert [(entry["status"], entry["notes"]) for entry in kept["history"]] == [("IN_PROGRESS", "begun")] * 2
    assert (kept["status"], kept["actual_hours"], kept["closed_at"]) == ("IN_PROGRESS", 2.5, None)


def test_bulk_hours_are_judged_one_by_one(pm: Any, task: dict[str, Any]) -> None:
    main = made(pm, "/tasks", task)
    good = {"external_id": "1", "task_id": main["id"], "user": JANE, "date": "2025-11-12", "hours": 1.5}
    bad = [{**good, "user": "42"}, {**good, "task_id": "TASK-999999"}, {**good, "hours": -1}, {**good, "date": "today"}]
    answers = pm.post("/time-entries/bulk", json={"items": [good, *bad, good]}).json()["results"]
    assert [answer["status"] for answer in answers] == [201, 422, 422, 422, 422, 201]
    assert pm.get(f"/tasks/{main['id']}").json()["spent_hours"] == 3.0
    assert pm.post("/time-entries/bulk", json={"items": [good] * 501}).status_code == 422


def test_doubles_are_taken_and_shown(lab: Lab, pm: Any, task: dict[str, Any]) -> None:
    ids = [made(pm, "/tasks", task)["id"] for _ in range(2)]
    found = pm.post("/tasks/search", json={"external_ids": [task["external_id"]]}).json()["data"]
    assert [each["id"] for each in found] == ids
    usage = {"external_id": "u1", "task_id": ids[0], "resource_type": "Equipment", "resource_id": "TC-001"}
    for _ in range(2):
        made(pm, "/resource-usage", {**usage, "usage_hours": 840.0})
    assert pm.get("/resource-usage?external_id=u1").json()["total"] == 2
    assert pm.get("/resource-usage?task_id=" + ids[1]).json()["total"] == 0
    counts = lab.control(PM, "GET", "counts")
    assert "u1" in str(counts)


def test_the_progress_of_a_project_is_the_mean_of_its_parts(pm: Any, task: dict[str, Any]) -> None:
    main = made(pm, "/tasks", {**task, "project_id": "PROJ-P"})
    for key, percent in ((task["external_id"], 10), (task["external_id"], 41.7), ("another", 100)):
        body = {"external_id": key, "progress_percent": percent}
        assert pm.put("/projects/PROJ-P/progress", json=body).status_code == 200
    project = pm.get("/projects/PROJ-P/progress").json()
    assert (project["progress_percent"], len(project["parts"])) == (70.8, 2)
    assert pm.get(f"/tasks/{main['id']}").json()["progress_percent"] == 41.7
    assert pm.put("/projects/PROJ-P/progress", json={**body, "progress_percent": 101}).status_code == 422
