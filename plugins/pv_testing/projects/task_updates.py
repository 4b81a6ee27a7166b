"""How far the tasks of service requests are: subtasks by their executions, main tasks by their request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pv_testing.core import keys
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import COMPLETE, TESTED
from pv_testing.exchange.report import Report
from pv_testing.projects import ProtocolWork, work_of
from pv_testing.projects.assignees import Assignees
from pv_testing.projects.policy import DURATION
from pv_testing.projects.progress import OPEN, durations
from pv_testing.projects.project_step import FollowingStep, RequestExecutions, unknown
from pv_testing.projects.records import main_status, progress, subtask_key, subtask_status
from pv_testing.projects.tasks import STATUS_SWEEP
from pv_testing.workflow.step import waiting_keys
from pv_testing.workflow.sweep_backlog import CLOSED
from pv_testing.workflow.withdrawals import withdrawn_from


@dataclass(frozen=True)
class FollowedProject:
    """A service request, what is done of it, and its main task.

    Attributes:
        request: the service request.
        works: what is done of each of its protocols, also of those that were withdrawn by taking them off its list.
        task_id: the main task's id in project management; empty where the ledger knows none.
    """

    request: ServiceRequest
    works: Sequence[ProtocolWork]
    task_id: str

    @property
    def number(self) -> str:
        """The service request's number."""
        return self.request.sr_number

    @property
    def key(self) -> str:
        """The business key of the main task."""
        return keys.compose(self.number)

    @property
    def closed(self) -> bool:
        """Whether the service request is closed."""
        return self.request.status == CLOSED


class UpdateTasks(FollowingStep):
    """Bring subtasks, main tasks and progress up to date, in this order, because a product may derive one from another.

    A subtask is complete when every expected execution is, a main task when its service request is closed. The step
    gives the reports of the statuses and of the progress. A closed request is finished when all are up to date.
    """

    sweep = STATUS_SWEEP

    async def carry(self) -> list[Report]:
        """Update the subtasks, the main tasks and the progress of the requests that have something to tell."""
        listed, unread = await self.under_test()
        self._listed = {request.sr_number for request, _ in listed}
        self._projects = await self._followed(listed)
        statuses = await self._update_subtasks()
        self._behind = {keys.above(key) for key in waiting_keys([statuses])}
        mains = await self._update_main_tasks()
        statuses.add(mains.outcomes)
        statuses.error = statuses.error or mains.error
        percents = await self._update_progress()
        self._behind |= waiting_keys([mains, percents])
        statuses.add(unread)
        return [statuses, percents]

    async def remember(self) -> None:
        """Remember which requests need another update even when they are closed, and which assignments have ended."""
        finished = [(project.request, project.closed and project.key not in self._behind) for project in self._projects]
        settled = [] if self.stopped else [request for request in self.requests if self.is_done(request)]
        await self.backlog.keep(finished, self.deleted, settled=settled)
        ended: dict[str, set[str]] = {}
        for project in self._projects:
            over = [work for work in project.works if project.closed or work.status == COMPLETE]
            ended[project.number] = {work.protocol_id for work in over}
        # A request is followed before it is assigned: what is read first is surely among what is followed afterwards.
        assignees = await asyncio.to_thread(Assignees, self.ledger)
        followed = await asyncio.to_thread(self.backlog.take, {}, keep=False)
        await asyncio.to_thread(assignees.done, ended, followed)

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether a request need not be read before it changes: its executions were, and nothing of it waits."""
        unread = request.status in TESTED and request.sr_number not in self._listed
        return not unread and keys.compose(request.sr_number) not in self._behind

    async def _followed(self, listed: RequestExecutions) -> list[FollowedProject]:
        """Return the requests that have something to tell: an execution has begun, or they are closed."""
        assignees = await asyncio.to_thread(Assignees, self.ledger)
        told: list[tuple[ServiceRequest, Sequence[ProtocolWork]]] = []
        for request, executions in listed:
            assigned = await asyncio.to_thread(assignees.known, request.sr_number)
            # As the ERP's credit notes see what is withdrawn.
            works = work_of(request, executions, withdrawn_from(request, list(assigned)))
            if request.status == CLOSED or any(work.begun for work in works):
                told.append((request, works))
        ids = await self.client.atask_ids("task", [keys.compose(request.sr_number) for request, _ in told])
        return [
            FollowedProject(request, works, ids.get(keys.compose(request.sr_number), "")) for request, works in told
        ]

    async def _update_subtasks(self) -> Report:
        due: dict[str, tuple[ServiceRequest, ProtocolWork]] = {}
        for project in self._projects:
            for work in project.works:
                if work.status != OPEN:
                    due[subtask_key(project.number, work.protocol_id)] = (project.request, work)
        ids = await self.client.atask_ids("subtask", due)
        records: list[Record] = []
        waiting: list[Outcome] = []
        for key, (request, work) in due.items():
            if key in ids:
                records.append(subtask_status(request, work, ids[key], self.rules))
            elif work.protocol_id in request.protocols:
                waiting.append(unknown(key, "the subtask"))
            # One that is listed no longer and was never created needs no subtask any more.
        report = await self.exchange("update_task", records)
        report.add(waiting)
        return report

    async def _update_main_tasks(self) -> Report:
        """Move the main tasks on; one whose subtasks aren't up to date would be refused, and waits for them."""
        records: list[Record] = []
        waiting: list[Outcome] = []
        for project in self._projects:
            if not project.task_id:
                waiting.append(unknown(project.key, "the main task"))
            elif project.closed and project.key in self._behind:
                reason = "its subtasks are not up to date in project management yet"
                waiting.append(Outcome(project.key, Result.DEFERRED, code="SUBTASKS_BEHIND", reason=reason))
            else:
                records.append(main_status(project.request, project.works, project.task_id, closed=project.closed))
        report = await self.exchange("update_task", records)
        report.add(waiting)
        return report

    async def _update_progress(self) -> Report:
        weighted = self.rules.progress == DURATION and self._projects
        hours = durations(await self.framework.aprotocols()) if weighted else {}
        known = [project for project in self._projects if project.task_id and project.works]
        records = [progress(each.request, each.works, each.task_id, self.rules, hours) for each in known]
        return await self.exchange("update_project_progress", records)


update_tasks = UpdateTasks.over
