"""What project management is told: tasks, their statuses, progress, and hours of people and of equipment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.days import local_day
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE
from pv_testing.integrations.pm import EQUIPMENT, TITLE
from pv_testing.projects.durations import duration, operator_hours
from pv_testing.projects.people import User, address
from pv_testing.projects.policy import ProjectRules
from pv_testing.projects.progress import ProtocolWork, progress_of

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?=[Tt ])")

Protocols = Mapping[str, Mapping[str, Any]]


def subtask_key(sr_number: str, protocol_id: str) -> str:
    """Return the business key of a subtask."""
    return keys.compose(sr_number, protocol_id)


def main_task(request: ServiceRequest, rules: ProjectRules) -> Record:
    """Return the record of a service request's main task."""
    key = keys.compose(request.sr_number)
    data: dict[str, Any] = {
        "sr_number": request.sr_number,
        "task_key": key,
        "project_id": request.project_id or rules.project,
        "title": f"{TITLE}{request.sr_number}",
        "description": f"Testing for {request.customer.get('name') or 'an unnamed customer'}",
        "due_date": _wish(request.delivery_date),
        "assignee": request.manager.get("email"),
    }
    try:
        data["start_date"] = local_day(request.created_at, rules.zone) if request.created_at else None
    except DataError as error:
        return Record(key, {**data, "start_date": request.created_at}, error)
    return Record(key, data)


def _wish(day: str) -> str:
    """Return a wished day without a time of day that came with it; no zone is shifted."""
    match = _DAY.match(day)
    return match[0] if match else day


def subtask(
    request: ServiceRequest, protocol_id: str, protocols: Protocols, parent: str, assignee: str, rules: ProjectRules
) -> Record:
    """Return the record of a protocol's subtask.

    Args:
        request: the service request.
        protocol_id: the protocol.
        protocols: what the framework says of each.
        parent: the main task's id in project management.
        assignee: the operator's address; may be empty.
        rules: the project of requests that name none.
    """
    protocol = protocols.get(protocol_id)
    data = {
        "sr_number": request.sr_number,
        "protocol_id": protocol_id,
        "task_key": subtask_key(request.sr_number, protocol_id),
        "project_id": request.project_id or rules.project,
        "parent_task_id": parent,
        "assignee": assignee,
    }
    if protocol is None:
        problem = DataError(f"the framework knows no protocol {protocol_id!r}", code="PROTOCOL_UNKNOWN")
        return Record(data["task_key"], data, problem)
    title = f"{protocol_id}: {protocol.get('name') or protocol_id}"
    return Record(data["task_key"], {**data, "title": title, "estimated_hours": protocol.get("duration_hours")})


def subtask_status(request: ServiceRequest, work: ProtocolWork, task_id: str, rules: ProjectRules) -> Record:
    """Return the record of how far a subtask is, with the operators' hours so far and a note of the verdicts."""
    key = subtask_key(request.sr_number, work.protocol_id)
    data: dict[str, Any] = {"task_key": key, "task_id": task_id, "status": work.status, "notes": work.notes()}
    data["actual_hours"] = sum((_known_hours(execution, rules) for execution in work.complete), Decimal(0))
    if work.status != COMPLETE:
        return Record(key, data)
    days: list[str] = []
    try:
        for execution in work.complete:
            if execution.completed_at:
                days.append(local_day(execution.completed_at, rules.zone))
    except DataError as error:
        return Record(key, data, error)
    return Record(key, {**data, "completion_date": max(days, default=None)})


def _known_hours(execution: Execution, rules: ProjectRules) -> Decimal:
    """Return an operator's hours; those that can't be told wait as time entries and count nothing here."""
    try:
        return operator_hours(execution, rules.hours_rule(execution.protocol_id))
    except DataError:
        return Decimal(0)


def main_status(request: ServiceRequest, works: Sequence[ProtocolWork], task_id: str, *, closed: bool) -> Record:
    """Return the record of how far a main task is: complete once the service request is closed, and not before."""
    key = keys.compose(request.sr_number)
    data = {"task_key": key, "task_id": task_id, "status": COMPLETE if closed else "IN_PROGRESS"}
    if not closed:
        return Record(key, data)
    undone: list[str] = []
    for work in works:
        if work.status != COMPLETE:
            undone.append(f"{work.protocol_id} {len(work.complete)} of {work.expected}")
    short = f" Not all executions were complete: {', '.join(undone)}." if undone else ""
    return Record(key, {**data, "notes": f"{request.sr_number} is closed.{short}"})


def progress(
    request: ServiceRequest,
    works: Sequence[ProtocolWork],
    task_id: str,
    rules: ProjectRules,
    hours: Mapping[str, Decimal],
) -> Record:
    """Return the record of a service request's progress.

    Args:
        request: the service request.
        works: what is done of its protocols.
        task_id: the main task's id in project management.
        rules: how progress is weighted.
        hours: how long each protocol takes.
    """
    key = keys.compose(request.sr_number)
    data: dict[str, Any] = {
        "progress_key": key,
        "project_id": request.project_id or rules.project,
        "task_id": task_id,
    }
    try:
        data["progress_percent"] = progress_of(works, rules.progress, hours)
    except DataError as error:
        return Record(key, data, error)
    return Record(key, data)


def time_entry(
    execution: Execution, task_id: str, protocols: Protocols, users: Mapping[str, User], rules: ProjectRules
) -> Record:
    """Return the record of the operator's hours on a completed execution.

    Args:
        execution: a completed one.
        task_id: the subtask's id in project management.
        protocols: what the framework says of each.
        users: of the framework, by id.
        rules: how long operators work, and where dates are taken.
    """
    key = keys.compose(execution.execution_id)
    name = protocols.get(execution.protocol_id, {}).get("name") or execution.protocol_id
    data: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "task_id": task_id,
        "user": address(execution.operator, users),
        "description": f"Executed {name} on {execution.serial_number or 'an unnamed module'}",
    }
    try:
        data["hours"] = operator_hours(execution, rules.hours_rule(execution.protocol_id))
        data["date"] = local_day(execution.started_at, rules.zone)
    except DataError as error:
        return Record(key, {**data, **_times(execution)}, error)
    return Record(key, data)


def resource_usage(execution: Execution, task_id: str, rules: ProjectRules) -> Iterable[Record]:
    """Give the record of each piece of equipment that a completed execution used, for its whole time.

    Args:
        execution: a completed one.
        task_id: the subtask's id in project management.
        rules: where dates are taken.
    """
    for equipment in dict.fromkeys(execution.equipment):
        key = keys.compose(execution.execution_id, equipment)
        data: dict[str, Any] = {
            "usage_key": key,
            "execution_id": execution.execution_id,
            "task_id": task_id,
            "resource_type": EQUIPMENT,
            "resource_id": equipment,
        }
        try:
            data["usage_hours"] = duration(execution)
            data["date"] = local_day(execution.started_at, rules.zone)
        except DataError as error:
            yield Record(key, {**data, **_times(execution)}, error)
        else:
            yield Record(key, data)


def _times(execution: Execution) -> dict[str, str]:
    """Return the times as given, so that a record that waits for them changes once they are corrected."""
    return {"started_at": execution.started_at, "completed_at": execution.completed_at}
