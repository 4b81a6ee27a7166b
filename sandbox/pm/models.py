"""The records that the PM accepts. Unknown, missing and wrong-typed fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sandbox.fields import Day, Strict, Text
from sandbox.paging import Page

Status = Literal["OPEN", "IN_PROGRESS", "COMPLETE"]
Hours = Annotated[float, Field(ge=0, le=100_000)]


class TaskPlan(Strict):
    """The fields of a task that may change later."""

    title: Text | None = None
    description: str | None = None
    start_date: Day | None = None
    due_date: Day | None = None
    assignee: Text | None = None
    estimated_hours: Hours | None = None


class TaskIn(TaskPlan):
    """A main task to create."""

    external_id: Text
    project_id: Text
    title: Text


class SubtaskIn(TaskPlan):
    """A subtask to create."""

    external_id: Text
    title: Text


class TaskStatusIn(Strict):
    """How far a task is, with a note for the reader."""

    status: Status
    notes: str | None = None
    completion_date: Day | None = None
    actual_hours: Hours | None = None


class ProgressIn(Strict):
    """The progress of a part of a project, or of the whole under the project's own id."""

    external_id: Text
    progress_percent: float = Field(ge=0, le=100)


class TimeEntryIn(Strict):
    """A person's hours on a task."""

    external_id: Text
    task_id: Text
    user: Text
    date: Day
    hours: Hours
    description: str | None = None


class UsageIn(Strict):
    """The hours that a task used a resource."""

    external_id: Text
    task_id: Text
    resource_type: Text
    resource_id: Text
    usage_hours: Hours
    date: Day | None = None


class TaskQuery(Page):
    """Which tasks to list."""

    external_id: str | None = None
    project_id: str | None = None
    parent_id: str | None = None
    status: Status | None = None


class EntryQuery(Page):
    """Which hours to list."""

    external_id: str | None = None
    task_id: str | None = None


def given(model: Strict) -> dict[str, Any]:
    """Return a model's fields that were given, but for its business key."""
    return model.model_dump(exclude={"external_id"}, exclude_unset=True)
