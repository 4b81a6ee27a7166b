"""Runs the integration guide's project management samples against the sandbox, typed as printed but for the address.

What the samples leave undefined (the operator who is free, hours, progress) is given here as the project computes it.
"""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from pv_testing.projects import find_available_operator
from sandbox.framework.app import USERS

PRINTED = (Path(__file__).parent / "pm_samples.txt").read_text(encoding="utf-8")
CONFIGURATION = "lab: {time_zone: Asia/Tokyo}\n"
FIELDS = ("id", "username", "email", "full_name", "role", "active")
STARTED = datetime(2025, 11, 12, 16, 0, tzinfo=timezone.utc)
ENDED = datetime(2025, 11, 12, 18, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def guide(lab, tmp_path, monkeypatch):
    """The names that the samples define."""
    path = tmp_path / "integrations.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(path))
    monkeypatch.setenv("PM_API_TOKEN", lab.credentials.pm_token)
    users = [dict(zip(FIELDS, user, strict=True)) for user in USERS]
    names: dict[str, Any] = {
        "find_available_operator": lambda _: find_available_operator(users),
        "calculate_actual_hours": lambda _: 2.0,
        "calculate_duration_hours": lambda _: 2.0,
        "calculate_sr_progress": lambda _: 50.0,
    }
    text = PRINTED.replace("https://pm.company.com/api", lab.url("pm"))
    exec(compile(text, "integration guide", "exec"), names)  # the guide's own words are what is tested
    yield SimpleNamespace(**names)
    names["pm"].close()


def protocol(number: int, name: str, hours: float) -> SimpleNamespace:
    return SimpleNamespace(
        protocol_id=f"PVTP-{number:03}", name=name, duration_hours=hours, pm_task_id="", save=lambda: None
    )


def service_request(number: str) -> SimpleNamespace:
    return SimpleNamespace(
        sr_number=number,
        pm_project_id=f"PROJ-{number}",
        customer=SimpleNamespace(name="Solar Corporation"),
        created_at=datetime(2025, 11, 1, 20, 0, tzinfo=timezone.utc),
        requested_delivery_date="2025-12-15",
        assigned_pm=SimpleNamespace(email="priya.menon@lab.example"),
        assigned_protocols=[protocol(1, "STC power", 2.0), protocol(18, "Thermal cycling", 840.0)],
    )


def execution(sr: SimpleNamespace, place: int) -> SimpleNamespace:
    return SimpleNamespace(
        protocol=sr.assigned_protocols[place],
        service_request=sr,
        start_time=STARTED,
        completed_at=ENDED,
        qc_status="PASS",
        operator=SimpleNamespace(email="jane.doe@lab.example"),
        equipment_used=["SIM-001", "IVT-001"],
    )


def test_tasks_and_subtasks_are_created_once_under_the_keys_of_the_workflow(guide, lab):
    sr = service_request("SR-GUIDE-1")
    guide.create_pm_tasks(sr)
    guide.create_pm_tasks(sr)
    tasks = {task["external_id"]: task for task in guide.pm.list("get_tasks", project_id="PROJ-SR-GUIDE-1")}
    assert sorted(tasks) == ["SR-GUIDE-1", "SR-GUIDE-1/PVTP-001", "SR-GUIDE-1/PVTP-018"]
    main, thermal = tasks["SR-GUIDE-1"], tasks["SR-GUIDE-1/PVTP-018"]
    # 20:00 UTC on the first of November is the second in Tokyo; a day that was wished for stays the same.
    assert (main["start_date"], main["due_date"]) == ("2025-11-02", "2025-12-15")
    assert main["assignee"] == "priya.menon@lab.example"
    assert (thermal["id"], thermal["parent_id"]) == (sr.assigned_protocols[1].pm_task_id, main["id"])
    assert (thermal["estimated_hours"], thermal["assignee"]) == (840.0, "jane.doe@lab.example")
    assert len(lab.rows("pm", "SELECT * FROM tasks WHERE external_id LIKE 'SR-GUIDE-1%'")) == 3


def test_status_and_progress_are_told_once(guide):
    sr = service_request("SR-GUIDE-2")
    guide.create_pm_tasks(sr)
    for _ in range(2):
        guide.on_execution_complete(execution(sr, 0))
    task = guide.pm.call("get_task", task_id=sr.assigned_protocols[0].pm_task_id)
    assert [(entry["status"], entry["notes"]) for entry in task["history"]] == [("COMPLETE", "QC Status: PASS")]
    assert (task["completion_date"], task["actual_hours"]) == ("2025-11-13", 2.0)
    assert guide.pm.config.base_url
    progress = guide.pm.update_project_progress("PROJ-SR-GUIDE-2", 75.0)
    assert progress["progress_percent"] == 75.0


def test_hours_are_entered_once(guide, caplog):
    sr = service_request("SR-GUIDE-3")
    guide.create_pm_tasks(sr)
    for _ in range(2):
        guide.log_resource_usage(execution(sr, 0))
    task_id = sr.assigned_protocols[0].pm_task_id
    (entry,) = guide.pm.list("get_time_entries", task_id=task_id)
    assert (entry["user"], entry["date"], entry["hours"]) == ("jane.doe@lab.example", "2025-11-12", 2.0)
    usage = guide.pm.list("get_resource_usage", task_id=task_id)
    assert sorted((used["resource_id"], used["usage_hours"]) for used in usage) == [("IVT-001", 2.0), ("SIM-001", 2.0)]
    assert "give execution_id" in caplog.text


def test_tests_with_equal_hours_are_told_apart_by_their_executions(guide):
    sr = service_request("SR-GUIDE-4")
    guide.create_pm_tasks(sr)
    task_id = sr.assigned_protocols[0].pm_task_id
    for number in ("5001", "5002"):
        guide.pm.log_time_entry(task_id, "jane.doe@lab.example", date(2025, 11, 12), 2.0, execution_id=number)
        guide.pm.log_resource_usage(task_id, "Equipment", "SIM-001", 2.0, execution_id=number)
    assert len(guide.pm.list("get_time_entries", task_id=task_id)) == 2
    assert guide.pm.find_time_entry("5002")["hours"] == 2.0
    assert guide.pm.find_resource_usage("5001/SIM-001")["task_id"] == task_id
    assert guide.pm.find_task("SR-GUIDE-4/PVTP-001")["id"] == task_id
    assert guide.pm.find_task("SR-GUIDE-99") is None
