"""The hours that went into completed executions: the operators' as time entries, the equipment's as its usage."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record
from pv_testing.domain.names import some
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, ENDED, TESTED
from pv_testing.exchange.report import Report
from pv_testing.projects.project_step import FollowingStep, unknown
from pv_testing.projects.records import resource_usage, subtask_key, time_entry
from pv_testing.projects.tasks import HOURS_SWEEP
from pv_testing.workflow.sweep_backlog import is_over


class LogHours(FollowingStep):
    """Enter the hours of operators and of equipment for every completed execution.

    It gives the reports of the operators' hours and of the equipment's. A closed request is finished when all its
    executions have ended and their hours are entered.
    """

    sweep = HOURS_SWEEP

    async def carry(self) -> list[Report]:
        """Enter the hours whose subtasks are there; the others wait for theirs."""
        self._listed, unread = await self.under_test()
        entries, usages = await self._hours()
        reports: list[Report] = []
        for operation, hours in (("log_time_entry", entries), ("log_resource_usage", usages)):
            report = await self.exchange(operation, hours.records)
            report.add(hours.waiting)
            reports.append(report)
        reports[0].add(unread)
        reports[0].notes += await self._ended()
        return reports

    async def remember(self) -> None:
        """Remember the service requests whose hours are entered, so that they aren't read again for nothing."""
        waiting = {keys.split(key)[0] for key in self.waiting}
        entered: set[str] = set()
        finished: list[tuple[ServiceRequest, bool]] = []
        for request, executions in self._listed:
            if not any(execution.execution_id in waiting for execution in executions):
                entered.add(request.sr_number)
            awaited = any(_is_awaited(execution, waiting) for execution in executions)
            finished.append((request, is_over(request) and not awaited))
        settled: list[ServiceRequest] = []
        for request in self.requests:
            nothing_waits = request.sr_number in entered or request.status not in TESTED
            if nothing_waits and not is_over(request) and not self.stopped:
                settled.append(request)
        await self.backlog.keep(finished, self.deleted, settled=settled)

    async def _hours(self) -> tuple[_Hours, _Hours]:
        """Return the hours of operators and of equipment."""
        entries, usages = _Hours(), _Hours()
        complete: list[tuple[ServiceRequest, Execution]] = []
        for request, executions in self._listed:
            complete += [(request, execution) for execution in executions if execution.status == COMPLETE]
        if not complete:
            return entries, usages
        protocols, users = await together(self.framework.aprotocols(), self.framework.ausers())
        subtasks = {subtask_key(request.sr_number, execution.protocol_id) for request, execution in complete}
        ids = await self.client.atask_ids("subtask", subtasks)
        for request, execution in complete:
            task_id = ids.get(subtask_key(request.sr_number, execution.protocol_id), "")
            entries.take(time_entry(execution, task_id, protocols, users, self.rules), request, execution, task_id)
            for usage in resource_usage(execution, task_id, self.rules):
                usages.take(usage, request, execution, task_id)
        return entries, usages

    async def _ended(self) -> list[str]:
        """Say which executions have no hours, and which have some although their results are gone."""
        ended: list[str] = []
        for _, executions in self._listed:
            ended += [execution.execution_id for execution in executions if execution.status in ENDED]
        by_key = {keys.compose(execution_id): execution_id for execution_id in ended}
        entered = await asyncio.to_thread(self.ledger.external_ids, self.client.system, "time_entry", list(by_key))
        before = [execution_id for key, execution_id in by_key.items() if entered.get(key)]
        notes: list[str] = []
        if ended:
            notes.append(f"no hours are entered for executions that ended without results: {some(ended)}")
        if before:
            remedy = "see to them there"
            notes.append(f"hours stay entered of executions that have no results any more: {some(before)}; {remedy}")
        return notes


@dataclass
class _Hours:
    """Hours on their way: records that can be entered, and those whose task isn't there yet."""

    records: list[Record] = field(default_factory=list)
    waiting: list[Outcome] = field(default_factory=list)

    def take(self, record: Record, request: ServiceRequest, execution: Execution, task_id: str) -> None:
        if task_id:
            self.records.append(record)
        elif execution.protocol_id in request.protocols:
            subtask = subtask_key(request.sr_number, execution.protocol_id)
            self.waiting.append(unknown(record.key, f"the subtask {subtask}"))
        else:
            message = f"{execution.protocol_id} was tested but isn't assigned to {request.sr_number}; assign it there"
            problem = DataError(message, code="PROTOCOL_NOT_ASSIGNED")
            self.records.append(Record(record.key, record.data, problem))


def _is_awaited(execution: Execution, waiting: AbstractSet[str]) -> bool:
    """Say whether an execution's hours are still to be entered, or it has not ended although its request is closed."""
    return execution.execution_id in waiting or execution.status not in {COMPLETE, *ENDED}


log_hours = LogHours.over
