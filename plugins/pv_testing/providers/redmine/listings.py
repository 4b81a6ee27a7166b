"""What is read from Redmine, in the words of every PM and QMS contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.providers.criteria import having, refuse_unknown
from pv_testing.providers.redmine.keys import ISSUES, TIME_ENTRIES, Item

if TYPE_CHECKING:
    from pv_testing.providers.redmine.provider import RedmineProvider

_USAGE = re.compile(r"#(\d+) (\S+) (.+)", re.DOTALL)
TRACKERS = {"get_tasks": "task_tracker", "get_nc_reports": "nc_tracker", "get_capas": "capa_tracker"}
ACTIVITIES = {"get_time_entries": "operator_activity", "get_resource_usage": "equipment_activity"}
CRITERIA = {
    "get_tasks": ("external_id", "project_id", "status"),
    "get_nc_reports": ("external_id", "status"),
    "get_capas": ("external_id", "status"),
    "get_time_entries": ("external_id", "task_id"),
    "get_resource_usage": ("external_id", "task_id"),
}


async def listed(provider: RedmineProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a listing.

    Args:
        provider: who asks.
        name: of the listing in the contract.
        criteria: what its items must have.

    Raises:
        MappingError: a criterion is unknown.
    """
    refuse_unknown(provider.contract, name, criteria, CRITERIA)
    items = await (_issues(provider, name, criteria) if name in TRACKERS else _entries(provider, name, criteria))
    return having(items, criteria, "external_id", "task_id")


async def _issues(provider: RedmineProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    tracker = await provider.setup.tracker(provider.contract.names[TRACKERS[name]], name)
    where: dict[str, tuple[str, list[str]]] = {"tracker_id": ("=", [str(tracker)]), "status_id": ("*", [""])}
    if "status" in criteria:
        where["status_id"] = await _status(provider, name, criteria["status"])
    if "external_id" in criteria:
        where[f"cf_{provider.issues.field}"] = ("=", [criteria["external_id"]])
    project = criteria.get("project_id", "" if name == "get_tasks" else provider.options.project)
    params = {"project_id": project.lower()} if project else {}
    issues = await provider.search(ISSUES, where, name, params)
    if not issues:
        await provider.identity()
    return [described(provider, issue) for issue in issues]


async def _status(provider: RedmineProvider, name: str, status: str) -> tuple[str, list[str]]:
    """Return the condition of a status: open and closed are Redmine's own, the others are names."""
    by_word = {"open": "o", "closed": "c"}
    if name != "get_tasks" and status.casefold() in by_word:
        return by_word[status.casefold()], [""]
    words = provider.contract.vocabularies.get("task_status")
    known = words.to_external.get(status, status) if words else status
    return "=", [str(await provider.setup.status(known, name))]


async def _entries(provider: RedmineProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    where: dict[str, tuple[str, list[str]]] = {}
    if "external_id" in criteria:
        where[f"cf_{provider.time_entries.field}"] = ("=", [criteria["external_id"]])
    if "task_id" in criteria and name == "get_time_entries":
        where["issue_id"] = ("=", [criteria["task_id"]])
    elif "task_id" in criteria:
        where["comments"] = ("~", [f"#{criteria['task_id']} "])
    entries = await provider.search(TIME_ENTRIES, where, name)
    if not entries:
        await provider.identity()
    activity = provider.contract.names[ACTIVITIES[name]]
    return [described(provider, entry) for entry in entries if _named(entry, "activity") == activity]


def described(provider: RedmineProvider, item: Item) -> dict[str, Any]:
    """Return an issue or a time entry in the words of every contract of its system.

    Args:
        provider: knows the key fields.
        item: as Redmine gives it.
    """
    if "hours" in item:
        return _entry(provider, item)
    issue = {
        "id": str(item["id"]),
        "external_id": provider.issues.of(item),
        "title": item.get("subject"),
        "created_at": item.get("created_on"),
        "closed_at": item.get("closed_on"),
    }
    return {**issue, **(_report(item) if provider.contract.system == "qms" else _task(item))}


def _task(issue: Item) -> dict[str, Any]:
    parent = _named(issue, "parent", "id")
    return {
        "status": _named(issue, "status"),
        "parent_id": "" if parent is None else str(parent),
        "project_id": str(_named(issue, "project", "id")),
        "estimated_hours": issue.get("estimated_hours"),
        "spent_hours": issue.get("spent_hours"),
        "progress_percent": issue.get("done_ratio"),
        "assignee": _named(issue, "assigned_to"),
        "start_date": issue.get("start_date"),
        "due_date": issue.get("due_date"),
    }


def _report(issue: Item) -> dict[str, Any]:
    return {
        "status": "closed" if _named(issue, "status", "is_closed") else "open",
        "state": _named(issue, "status"),
        "severity": _named(issue, "priority"),
        "description": issue.get("description"),
        "due_date": issue.get("due_date"),
    }


def _entry(provider: RedmineProvider, entry: Item) -> dict[str, Any]:
    key, comments = provider.time_entries.of(entry), str(entry.get("comments") or "")
    issue = _named(entry, "issue", "id")
    about = {
        "id": str(entry["id"]),
        "external_id": key,
        "date": entry.get("spent_on"),
        "activity": _named(entry, "activity"),
        "description": comments,
    }
    if issue is not None:
        return {**about, "task_id": str(issue), "user": _named(entry, "user"), "hours": entry["hours"]}
    used = _USAGE.fullmatch(comments)
    task, kind, resource = used.groups() if used else ("", "", "")
    return {**about, "task_id": task, "resource_type": kind, "resource_id": resource, "usage_hours": entry["hours"]}


def _named(item: Item, field: str, part: str = "name") -> Any:
    return (item.get(field) or {}).get(part)
