"""The hours that went into completed executions: the operators' as time entries, the equipment's as its usage."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import DataError
from pv_testing.core.records import Outcome, Record
from pv_testing.domain.names import some
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, ENDED, TESTED
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.pm import PMClient
from pv_testing.projects import ProjectRules
from pv_testing.projects.records import resource_usage, subtask_key, time_entry
from pv_testing.projects.tasks import HOURS_SWEEP, under_test, unknown
from pv_testing.workflow.sweep_backlog import SweepBacklog, is_over

Runs = Sequence[tuple[ServiceRequest, Sequence[Execution]]]


@dataclass
class _Hours:
    """Hours on their way: records that can be entered, and those whose task isn't there yet."""

    records: list[Record] = field(default_factory=list)
    waiting: list[Outcome] = field(default_factory=list)

    def take(self, record: Record, request: ServiceRequest, run: Execution, task_id: str) -> None:
        if task_id:
            self.records.append(record)
        elif run.protocol_id in request.protocols:
            self.waiting.append(unknown(record.key, f"the subtask {subtask_key(request.sr_number, run.protocol_id)}"))
        else:
            message = f"{run.protocol_id} was tested but isn't assigned to {request.sr_number}; assign it there"
            problem = DataError(message, code="PROTOCOL_NOT_ASSIGNED")
            self.records.append(Record(record.key, record.data, problem))


async def log_hours(
    framework: FrameworkClient,
    pm: PMClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    rules: ProjectRules | None = None,
) -> list[Report]:
    """Enter the hours of operators and of equipment for every completed execution.

    Args:
        framework: where the executions are.
        pm: where the hours are to be.
        sr_ids: the framework's ids of the service requests.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        rules: the laboratory's; those of ``projects.yaml`` by default.

    Returns:
        What became of the operators' hours, and of the equipment's.
    """
    rules = rules or ProjectRules.read()
    sweep = await asyncio.to_thread(SweepBacklog, pm.ledger, HOURS_SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    listed, unread = await under_test(framework, requests)
    times, usages = await _hours(framework, pm, listed, rules)
    reports = []
    for operation, hours in (("log_time_entry", times), ("log_resource_usage", usages)):
        report = await pm.aexchange(operation, hours.records, replay=replay, dry_run=dry_run)
        report.add(hours.waiting)
        reports.append(report)
    reports[0].add(unread)
    missing.add_to(reports[0])
    reports[0].notes += await _ended(pm, listed)
    if not dry_run:
        await _remember(sweep, requests, listed, reports, missing.deleted)
    return reports


async def _hours(framework: FrameworkClient, pm: PMClient, listed: Runs, rules: ProjectRules) -> tuple[_Hours, _Hours]:
    times, usages = _Hours(), _Hours()
    complete = [(request, run) for request, runs in listed for run in runs if run.status == COMPLETE]
    if not complete:
        return times, usages
    protocols, users = await together(framework.aprotocols(), framework.ausers())
    ids = await pm.atask_ids("subtask", {subtask_key(request.sr_number, run.protocol_id) for request, run in complete})
    for request, run in complete:
        task_id = ids.get(subtask_key(request.sr_number, run.protocol_id), "")
        times.take(time_entry(run, task_id, protocols, users, rules), request, run, task_id)
        for usage in resource_usage(run, task_id, rules):
            usages.take(usage, request, run, task_id)
    return times, usages


async def _ended(pm: PMClient, listed: Runs) -> list[str]:
    """Say which executions have no hours, and which have some although their results are gone."""
    ended = [run.execution_id for _, runs in listed for run in runs if run.status in ENDED]
    by_key = {keys.compose(number): number for number in ended}
    entered = await asyncio.to_thread(pm.ledger.external_ids, pm.system, "time_entry", list(by_key))
    before = [number for key, number in by_key.items() if entered.get(key)]
    said = [f"no hours are entered for executions that ended without results: {some(ended)}"] if ended else []
    if before:
        said.append(
            f"hours stay entered of executions that have no results any more: {some(before)}; see to them there"
        )
    return said


def _awaited(run: Execution, waiting: Container[str]) -> bool:
    """Say whether an execution's hours are still to be entered, or it has not ended although its request is closed."""
    return run.execution_id in waiting or run.status not in {COMPLETE, *ENDED}


async def _remember(
    sweep: SweepBacklog, requests: Iterable[ServiceRequest], listed: Runs, reports: Sequence[Report], deleted: list[int]
) -> None:
    """Remember the service requests whose hours are entered, so that they aren't read again for nothing."""
    waiting = {keys.split(outcome.key)[0] for report in reports for outcome in report.not_in_effect()}
    finished = [
        (request, is_over(request) and not any(_awaited(run, waiting) for run in runs)) for request, runs in listed
    ]
    stopped = any(report.error is not None for report in reports)
    entered = {request.sr_number for request, runs in listed if not any(run.execution_id in waiting for run in runs)}
    settled = [
        each
        for each in requests
        if not stopped and not is_over(each) and (each.sr_number in entered or each.status not in TESTED)
    ]
    await sweep.keep(finished, deleted, settled=settled)
