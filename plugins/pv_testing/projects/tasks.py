"""Service requests of the framework as projects: a main task each, and a subtask for each assigned protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import PermissionDenied
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.exchange.report import Report
from pv_testing.projects.assignees import Assignees
from pv_testing.projects.people import User
from pv_testing.projects.project_step import ProjectStep, unknown
from pv_testing.projects.records import main_task, subtask, subtask_key
from pv_testing.workflow.sweep_backlog import CLOSED, SweepBacklog

# The sweeps: they come back until a request is closed, and its tasks, its last update and its hours are in effect.
TASK_SWEEP, STATUS_SWEEP, HOURS_SWEEP = "pm/projects", "pm/tasks", "pm/hours"


class CreateTasks(ProjectStep):
    """Create the main task of each service request, and its subtasks once the protocols are assigned.

    It gives the reports of the main tasks and of the subtasks. A closed request is finished when all are in effect.
    """

    sweep = TASK_SWEEP
    begins = True

    async def begin(self) -> None:
        """Let every sweep know these requests, however soon they are closed; those without protocols only the first."""
        await self.backlog.begin(self.requests)
        for name in (STATUS_SWEEP, HOURS_SWEEP):
            backlog = await asyncio.to_thread(SweepBacklog, self.ledger, name)
            await backlog.begin(_assigned(self.requests))

    async def carry(self) -> list[Report]:
        """Create the main tasks, then the subtasks of those that are there."""
        assigned = _assigned(self.requests)
        tasks = await self.exchange("create_task", [main_task(request, self.rules) for request in self.requests])
        parents = await self.client.atask_ids("task", [keys.compose(request.sr_number) for request in assigned])
        records, unplanned = await self._subtasks(assigned, parents)
        subtasks = await self.exchange("create_subtask", records)
        subtasks.add(unplanned)
        subtasks.add(self._orphans(assigned, parents))
        unassigned = [record for record in records if not record.data["assignee"]]
        if unassigned:
            note = f"{len(unassigned)} subtasks are planned without an assignee: no active user had one of the roles"
            subtasks.notes.append(note)
        return [tasks, subtasks]

    async def remember(self) -> None:
        """Remember the requests whose tasks are all in effect."""
        clear = [request for request in self.requests if self.is_done(request)]
        finished = [(request, request.status == CLOSED and self.is_done(request)) for request in self.requests]
        await self.backlog.keep(finished, self.deleted, settled=[] if self.stopped else clear)

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether no task of a request waits."""
        subtasks = [subtask_key(request.sr_number, protocol) for protocol in request.protocols]
        return self.waiting.isdisjoint([keys.compose(request.sr_number), *subtasks])

    async def _subtasks(
        self, assigned: Iterable[ServiceRequest], parents: Mapping[str, str]
    ) -> tuple[list[Record], list[Outcome]]:
        """Return the subtasks, and the outcomes of those whose assignee can't be decided yet."""
        requests = [request for request in assigned if keys.compose(request.sr_number) in parents]
        records: list[Record] = []
        waiting: list[Outcome] = []
        if not requests:
            return records, waiting
        protocols, users = await together(self.framework.aprotocols(), self._users())
        assignees = await asyncio.to_thread(Assignees, self.ledger, keep=not self.dry_run)
        for request in requests:
            wanted = (request.sr_number, request.protocols, users, self.rules.roles)
            assigned_to = await asyncio.to_thread(assignees.assign, *wanted)
            parent = parents[keys.compose(request.sr_number)]
            for protocol in request.protocols:
                if protocol in assigned_to:
                    assignee = assigned_to[protocol]
                    records.append(subtask(request, protocol, protocols, parent, assignee, self.rules))
                else:
                    waiting.append(_unplanned(request, protocol))
        return records, waiting

    async def _users(self) -> list[User] | None:
        """Return the users who may be assigned; ``None`` where the framework refuses to list them, which may pass."""
        try:
            return list((await self.framework.ausers(needed=True)).values()) if self.rules.roles else []
        except PermissionDenied:
            return None

    def _orphans(self, requests: Iterable[ServiceRequest], parents: Mapping[str, str]) -> Iterable[Outcome]:
        """Give the subtasks whose main task isn't there; where that is only rehearsed, they would be created."""
        for request in requests:
            if keys.compose(request.sr_number) not in parents:
                for protocol in request.protocols:
                    key = subtask_key(request.sr_number, protocol)
                    task = f"the main task {request.sr_number}"
                    yield Outcome(key, Result.CREATED) if self.dry_run else unknown(key, task)


def _assigned(requests: Iterable[ServiceRequest]) -> list[ServiceRequest]:
    return [request for request in requests if request.assigned]


def _unplanned(request: ServiceRequest, protocol: str) -> Outcome:
    """Return the outcome of a subtask that waits: once it is there, its assignee is not sent any more."""
    reason = "the framework refuses to list its users, so that no assignee can be chosen; let this account list them"
    return Outcome(subtask_key(request.sr_number, protocol), Result.DEFERRED, code="USERS_REFUSED", reason=reason)


create_tasks = CreateTasks.over
