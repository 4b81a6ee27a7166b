"""The PM's REST API, under ``/api``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sandbox.auth import Principal, require
from sandbox.bulk import Keys, Many, each
from sandbox.pm import models
from sandbox.pm.records import Records, find
from sandbox.problems import reply

router = APIRouter(prefix="/api")


async def records_of(request: Request) -> Records:
    """Return the records of the PM that serves this request."""
    records: Records = request.app.state.records
    return records


Rec = Annotated[Records, Depends(records_of)]
Anyone = Annotated[Principal, Depends(require())]
Reader = Annotated[Principal, Depends(require("read:tasks"))]
Planner = Annotated[Principal, Depends(require("write:tasks"))]
Timekeeper = Annotated[Principal, Depends(require("write:time"))]


@router.get("/me")
async def me(who: Anyone) -> Response:
    """Say who is asking."""
    return reply({"user": who.name, "scopes": sorted(who.scopes)})


@router.post("/tasks")
async def create_task(body: models.TaskIn, records: Rec, _: Planner) -> Response:
    """Create a main task."""
    return reply(records.create_task(body), 201)


@router.post("/tasks/{identity}/subtasks")
async def create_subtask(identity: str, body: models.SubtaskIn, records: Rec, _: Planner) -> Response:
    """Create a subtask."""
    return reply(records.create_subtask(identity, body), 201)


@router.post("/tasks/search")
async def find_tasks(body: Keys, records: Rec, _: Reader) -> Response:
    """Find tasks by business key."""
    return reply({"data": [records.described(task) for task in records.tasks.find(body.external_ids)]})


@router.get("/tasks")
async def list_tasks(query: Annotated[models.TaskQuery, Query()], records: Rec, _: Reader) -> Response:
    """List tasks."""
    criteria = query.model_dump(exclude={"page", "limit"})
    found = records.tasks.listing(query, **criteria)
    return reply({**found, "data": [records.described(task) for task in found["data"]]})


@router.get("/tasks/{identity}")
async def read_task(identity: str, records: Rec, _: Reader) -> Response:
    """Return a task with its history."""
    return reply(records.task(identity))


@router.patch("/tasks/{identity}")
async def change_task(identity: str, body: models.TaskPlan, records: Rec, _: Planner) -> Response:
    """Plan a task anew."""
    return reply(records.change_task(identity, body))


@router.put("/tasks/{identity}/status")
async def set_status(identity: str, body: models.StatusIn, records: Rec, _: Planner) -> Response:
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


@router.post("/time-entries/bulk")
async def log_times(body: Many, records: Rec, _: Timekeeper) -> Response:
    """Keep up to 500 entries; each succeeds or fails on its own."""
    with records.store.transaction():
        return reply({"results": each(body.items, models.TimeEntryIn, records.log_time)})


@router.post("/time-entries/search")
async def find_times(body: Keys, records: Rec, _: Reader) -> Response:
    """Find hours by business key."""
    return reply(find(records.time_entries, body.external_ids))


@router.get("/time-entries")
async def list_times(query: Annotated[models.EntryQuery, Query()], records: Rec, _: Reader) -> Response:
    """List hours."""
    return reply(_listed(records.time_entries.listing, query))


@router.put("/time-entries/{identity}")
async def correct_time(identity: str, body: models.TimeEntryIn, records: Rec, _: Timekeeper) -> Response:
    """Correct a person's hours."""
    return reply(records.correct(records.time_entries, identity, body))


@router.post("/resource-usage")
async def log_usage(body: models.UsageIn, records: Rec, _: Timekeeper) -> Response:
    """Keep the usage of a resource."""
    return reply(records.log_usage(body), 201)


@router.post("/resource-usage/bulk")
async def log_usages(body: Many, records: Rec, _: Timekeeper) -> Response:
    """Keep up to 500 usages; each succeeds or fails on its own."""
    with records.store.transaction():
        return reply({"results": each(body.items, models.UsageIn, records.log_usage)})


@router.post("/resource-usage/search")
async def find_usage(body: Keys, records: Rec, _: Reader) -> Response:
    """Find usages by business key."""
    return reply(find(records.usage, body.external_ids))


@router.get("/resource-usage")
async def list_usage(query: Annotated[models.EntryQuery, Query()], records: Rec, _: Reader) -> Response:
    """List the usage of resources."""
    return reply(_listed(records.usage.listing, query))


@router.put("/resource-usage/{identity}")
async def correct_usage(identity: str, body: models.UsageIn, records: Rec, _: Timekeeper) -> Response:
    """Correct the usage of a resource."""
    return reply(records.correct(records.usage, identity, body))


def _listed(listing: Any, query: models.EntryQuery) -> Any:
    return listing(query, external_id=query.external_id, task_id=query.task_id)
