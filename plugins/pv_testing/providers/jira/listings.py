"""What is read from Jira, in the words of every PM contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pv_testing.providers.criteria import having, refuse_unknown
from pv_testing.providers.jira.documents import text_of
from pv_testing.providers.jira.jql import among, phrase, quoted
from pv_testing.providers.jira.keys import Issue
from pv_testing.transports import pagination

if TYPE_CHECKING:
    from pv_testing.providers.jira.provider import JiraProvider

KEY_LINE = "Key: "
CRITERIA = {
    "get_tasks": ("external_id", "project_id", "status"),
    "get_time_entries": ("external_id", "task_id"),
    "get_resource_usage": ("external_id", "task_id"),
}
_USAGE = re.compile(r"#(\d+) (\S+) (.+)")
Entry = Mapping[str, Any]


async def listed(provider: JiraProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
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
    return having(items, criteria, "external_id", "task_id")


async def _tasks(provider: JiraProvider, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    names = provider.contract.names
    clauses = [among("issuetype", [names["task_type"], names["subtask_type"]])]
    project = provider.options.project or criteria.get("project_id", "")
    if project:
        clauses.append(f"project = {quoted(project)}")
    if "external_id" in criteria:
        clauses.append(provider.keys.clause(criteria["external_id"]))
    if "status" in criteria:
        words = provider.contract.vocabularies["task_status"].to_external
        clauses.append(f"status = {quoted(words.get(criteria['status'], criteria['status']))}")
    issues = await provider.search(" AND ".join(clauses), "get_tasks")
    return [described(provider, issue) for issue in issues]


async def _entries(provider: JiraProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return hours: those of a task, or what a search of the comments finds."""
    usage = name == "get_resource_usage"
    if "task_id" in criteria:
        issue = await provider.issue(criteria["task_id"], name, fields=("parent",))
        parent = issue["fields"].get("parent") or issue
        places = [str(parent["id"] if usage else issue["id"])]
    else:
        words = criteria.get("external_id") or KEY_LINE.strip(": ")
        issues = await provider.search(phrase("worklogComment", words), name)
        places = [str(issue["id"]) for issue in issues]
    items = [entry_described(entry) for place in places for entry in await worklogs(provider, place, name)]
    return [item for item in items if item["external_id"] and ("resource_id" in item) is usage]


async def worklogs(provider: JiraProvider, issue: str, operation: str) -> list[Entry]:
    """Return all worklogs of an issue."""
    pages = replace(provider.contract.pagination, items="worklogs")
    spec = replace(provider.contract.operation(operation), success=frozenset())
    entries = pagination.items(
        provider.session,
        f"/issue/{int(issue)}/worklog",
        pages,
        item_id=lambda entry: entry.get("id"),
        operation=operation,
        classify=provider.contract.classify(spec),
    )
    return [entry async for entry in entries]


def described(provider: JiraProvider, issue: Issue) -> dict[str, Any]:
    """Return an issue in the words of every PM contract."""
    fields = issue["fields"]
    tracking = fields.get("timetracking") or {}
    return {
        "id": str(issue["id"]),
        "external_id": provider.keys.of(issue),
        "issue_key": issue.get("key"),
        "title": fields.get("summary"),
        "status": _part(fields, "status", "name"),
        "parent_id": str(_part(fields, "parent", "id") or ""),
        "project_id": _part(fields, "project", "key"),
        "estimated_hours": _hours(tracking.get("originalEstimateSeconds")),
        "spent_hours": _hours(tracking.get("timeSpentSeconds")),
        "assignee": _part(fields, "assignee", "displayName"),
        "due_date": fields.get("duedate"),
        "created_at": fields.get("created"),
        "closed_at": fields.get("resolutiondate"),
    }


def entry_described(entry: Entry) -> dict[str, Any]:
    """Return a worklog in the words of every PM contract."""
    comment = text_of(entry.get("comment")).strip()
    text = comment.rpartition("\n")[0] if key_of(entry) else comment
    about = {
        "id": str(entry.get("id")),
        "external_id": key_of(entry),
        "date": str(entry.get("started") or "")[:10],
        "description": text,
    }
    hours = _hours(entry.get("timeSpentSeconds"))
    used = _USAGE.fullmatch(text)
    if used is None:
        return {**about, "task_id": str(entry.get("issueId") or ""), "hours": hours}
    task, kind, resource = used.groups()
    return {**about, "task_id": task, "resource_type": kind, "resource_id": resource, "usage_hours": hours}


def key_of(entry: Entry) -> str:
    """Return the business key in the last line of a worklog's comment, or the empty string."""
    last = text_of(entry.get("comment")).strip().rpartition("\n")[2]
    return last.removeprefix(KEY_LINE) if last.startswith(KEY_LINE) else ""


def _hours(seconds: Any) -> float | None:
    return None if seconds is None else seconds / 3600


def _part(fields: Mapping[str, Any], name: str, part: str) -> Any:
    return (fields.get(name) or {}).get(part)
