"""The PM's REST API, under ``/api``."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.pm import models
from sandbox.pm.records import PmRecords
from sandbox.problems import reply
from sandbox.routes import add_bulk, add_read, add_search, api_router, records_of

router = api_router("/api")


Rec = Annotated[PmRecords, Depends(records_of)]
Reader = Annotated[Principal, Depends(require("read:tasks"))]
Planner = Annotated[Principal, Depends(require("write:tasks"))]
Timekeeper = Annotated[Principal, Depends(require("write:time"))]


@router.post("/tasks")
async def create_task(body: models.TaskIn, records: Rec, _: Planner) -> Response:
    """Create a main task."""
    return reply(records.create_task(body), 201)


@router.post("/tasks/{identity}/subtasks")
async def create_subtask(identity: str, body: models.SubtaskIn, records: Rec, _: Planner) -> Response:
    """Create a subtask."""
    return reply(records.create_subtask(identity, body), 201)


@router.get("/tasks")
async def list_tasks(query: Annotated[models.TaskQuery, Query()], records: Rec, _: Reader) -> Response:
    """List tasks."""
    return reply(records.tasks.listing(query))


add_read(router, "/tasks", "read:tasks", attrgetter("tasks"))
add_search(router, "/tasks", "read:tasks", attrgetter("tasks"))


@router.patch("/tasks/{identity}")
async def change_task(identity: str, body: models.TaskPlan, records: Rec, _: Planner) -> Response:
    """Plan a task anew."""
    return reply(records.change_task(identity, body))


@router.put("/tasks/{identity}/status")
async def set_status(identity: str, body: models.TaskStatusIn, records: Rec, _: Planner) -> Response:
    """Move a task on."""
    with records.store.transaction():
        return reply(records.set_status(identity, body))


@router.put("/projects/{project_id}/progress")
async def set_progress(project_id: str, body: models.ProgressIn, records: Rec, _: Planner) -> Response:
    """Keep how far a part of a project is."""
    with records.store.transaction():
        return reply(records.set_progress(project_id, body))


@router.get("/projects/{project_id}/progress")
async def read_progress(project_id: str, records: Rec, _: Reader) -> Response:
    """Return how far a project and each of its parts are; the project is the mean of its parts."""
    parts = records.parts(project_id)
    mean = round(sum(part["progress_percent"] for part in parts) / len(parts), 1) if parts else 0.0
    return reply({"project_id": project_id, "progress_percent": mean, "parts": parts})


@router.post("/time-entries")
async def log_time(body: models.TimeEntryIn, records: Rec, _: Timekeeper) -> Response:
    """Keep a person's hours."""
    return reply(records.log_time(body), 201)


add_bulk(router, "/time-entries", "write:time", models.TimeEntryIn, PmRecords.log_time)
add_search(router, "/time-entries", "read:tasks", attrgetter("time_entries"))


@router.get("/time-entries")
async def list_times(query: Annotated[models.EntryQuery, Query()], records: Rec, _: Reader) -> Response:
    """List hours."""
    return reply(records.time_entries.listing(query))


@router.put("/time-entries/{identity}")
async def correct_time(identity: str, body: models.TimeEntryIn, records: Rec, _: Timekeeper) -> Response:
    """Correct a person's hours."""
    return reply(records.correct(records.time_entries, identity, body))


@router.post("/resource-usage")
async def log_usage(body: models.UsageIn, records: Rec, _: Timekeeper) -> Response:
    """Keep the usage of a resource."""
    return reply(records.log_usage(body), 201)


add_bulk(router, "/resource-usage", "write:time", models.UsageIn, PmRecords.log_usage)
add_search(router, "/resource-usage", "read:tasks", attrgetter("usage"))


@router.get("/resource-usage")
async def list_usage(query: Annotated[models.EntryQuery, Query()], records: Rec, _: Reader) -> Response:
    """List the usage of resources."""
    return reply(records.usage.listing(query))


@router.put("/resource-usage/{identity}")
async def correct_usage(identity: str, body: models.UsageIn, records: Rec, _: Timekeeper) -> Response:
    """Correct the usage of a resource."""
    return reply(records.correct(records.usage, identity, body))
