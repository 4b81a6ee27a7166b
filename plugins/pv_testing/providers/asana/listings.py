"""What is read from Asana, in the words of every PM contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.providers.asana.keys import Task, field_of
from pv_testing.providers.criteria import having, refuse_unknown

if TYPE_CHECKING:
    from pv_testing.providers.asana.provider import AsanaProvider

KEY_LINE = "Key: "
CRITERIA = {
    "get_tasks": ("external_id", "project_id", "status"),
    "get_time_entries": ("external_id", "task_id"),
    "get_resource_usage": ("external_id", "task_id"),
}
_HOURS = re.compile(r"^([0-9.]+) h on ([0-9-]{10}) ", re.MULTILINE)
_USED = re.compile(r"(\S+): (.+)")


async def listed(provider: AsanaProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a listing.

    Args:
        provider: who asks.
        name: of the listing in the contract.
        criteria: what its items must have.

    Raises:
        MappingError: a criterion is unknown.
    """
    refuse_unknown(provider.contract, name, criteria, CRITERIA)
    if name == "get_tasks":
        items = await _tasks(provider, criteria)
    else:
        items = await _entries(provider, name, criteria)
    return having(items, criteria, "external_id")


async def _tasks(provider: AsanaProvider, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    project = provider.options.field("project")
    listed = await provider.tasks(f"/projects/{project}/tasks", "get_tasks")
    items = [described(provider, task) for task in listed if provider.keys.of(task)]
    if "status" in criteria:
        words = provider.contract.vocabularies["task_status"].to_external
        wanted = words.get(criteria["status"], criteria["status"])
        items = [item for item in items if item["status"] == wanted]
    return items


async def _entries(provider: AsanaProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the hours of a task, or of all tasks of the project."""
    if "task_id" in criteria:
        tasks = [criteria["task_id"]]
    else:
        project = provider.options.field("project")
        listed = await provider.tasks(f"/projects/{project}/tasks", name)
        tasks = [str(task["gid"]) for task in listed if provider.keys.of(task)]
    usage = name == "get_resource_usage"
    items = []
    for task in tasks:
        for carrier in await provider.tasks(f"/tasks/{int(task)}/subtasks", name):
            item = entry_described(carrier, task)
            if item["external_id"] and ("resource_id" in item) is usage:
                items.append(item)
    return items


def described(provider: AsanaProvider, task: Task) -> dict[str, Any]:
    """Return a task in the words of every PM contract."""
    options = provider.options
    estimate = field_of(task, options.estimate_field, "number_value") if options.estimate_field else None
    return {
        "id": str(task["gid"]),
        "external_id": provider.keys.of(task),
        "title": task.get("name"),
        "status": provider.sections.of(task),
        "completed": task.get("completed"),
        "parent_id": str((task.get("parent") or {}).get("gid") or ""),
        "project_id": options.project,
        "estimated_hours": None if estimate is None else estimate / 60,
        "progress_percent": field_of(task, options.progress_field, "number_value"),
        "assignee": (task.get("assignee") or {}).get("name"),
        "start_date": task.get("start_on"),
        "due_date": task.get("due_on"),
        "created_at": task.get("created_at"),
        "closed_at": task.get("completed_at"),
    }


def entry_described(carrier: Task, task: str) -> dict[str, Any]:
    """Return the subtask of an entry of hours in the words of every PM contract.

    Args:
        carrier: the subtask.
        task: the number of the task that the hours are of.
    """
    notes = str(carrier.get("notes") or "").replace("\r\n", "\n")
    hours = _HOURS.search(notes)
    used = _USED.fullmatch(notes.partition("\n")[0])
    about = {
        "id": str(carrier["gid"]),
        "external_id": key_of(carrier),
        "task_id": task,
        "date": hours[2] if hours else None,
        "minutes": carrier.get("actual_time_minutes"),
    }
    exact = float(hours[1]) if hours else None
    if str(carrier.get("name") or "").startswith("Usage: ") and used:
        return {**about, "resource_type": used[1], "resource_id": used[2], "usage_hours": exact}
    return {**about, "hours": exact, "description": notes.partition("\n")[0]}


def key_of(carrier: Task) -> str:
    """Return the business key in the last line of a subtask's notes, or the empty string."""
    last = str(carrier.get("notes") or "").replace("\r\n", "\n").strip().rpartition("\n")[2]
    return last.removeprefix(KEY_LINE) if last.startswith(KEY_LINE) else ""
