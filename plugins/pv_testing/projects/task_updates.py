"""How far the tasks of service requests are: subtasks by their executions, main tasks by their request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pv_testing.core import keys
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import COMPLETE, TESTED
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.pm import PMClient
from pv_testing.projects import ProjectRules, ProtocolWork, work_of
from pv_testing.projects.assignees import Assignees
from pv_testing.projects.policy import DURATION
from pv_testing.projects.progress import OPEN, durations
from pv_testing.projects.records import main_status, progress, subtask_key, subtask_status
from pv_testing.projects.tasks import STATUS_SWEEP, under_test, unknown
from pv_testing.workflow.sweep_backlog import CLOSED, SweepBacklog
from pv_testing.workflow.withdrawals import withdrawn_from


@dataclass(frozen=True)
class Project:
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


async def update_tasks(
    framework: FrameworkClient,
    pm: PMClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    rules: ProjectRules | None = None,
) -> list[Report]:
    """Bring subtasks, main tasks and progress up to date, in this order, for a product may derive one from the other.

    A subtask is complete when every expected execution is, a main task when its service request is closed.

    Args:
        framework: where the requests are.
        pm: where the tasks are.
        sr_ids: the framework's ids of the requests; one that has been deleted is noted, its tasks stay as they are.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        rules: the laboratory's; those of ``projects.yaml`` by default.

    Returns:
        What became of the statuses, and of the progress.
    """
    rules = rules or ProjectRules.read()
    sweep = await asyncio.to_thread(SweepBacklog, pm.ledger, STATUS_SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    listed, unread = await under_test(framework, requests)
    projects = await _projects(pm, listed)
    hours = durations(await framework.aprotocols()) if rules.progress == DURATION and projects else {}
    flags = {"replay": replay, "dry_run": dry_run}
    statuses = await _update_subtasks(pm, projects, rules, flags)
    behind = {keys.above(outcome.key) for outcome in statuses.not_in_effect()}
    mains = await _update_main(pm, projects, behind, flags)
    statuses.add(mains.outcomes)
    statuses.error = statuses.error or mains.error
    known = [each for each in projects if each.task_id and each.works]
    records = [progress(each.request, each.works, each.task_id, rules, hours) for each in known]
    percents = await pm.aexchange("update_project_progress", records, **flags)
    statuses.add(unread)
    missing.add_to(statuses)
    if not dry_run:
        behind |= {outcome.key for report in (mains, percents) for outcome in report.not_in_effect()}
        told = {request.sr_number for request, _ in listed}
        untold = [each for each in requests if each.status in TESTED and each.sr_number not in told]
        behind |= {keys.compose(each.sr_number) for each in untold}
        stopped = statuses.error is not None or percents.error is not None
        settled = [each for each in requests if not stopped and keys.compose(each.sr_number) not in behind]
        await _remember(pm, sweep, projects, behind, settled, missing.deleted)
    return [statuses, percents]


async def _projects(pm: PMClient, listed: Iterable[tuple[ServiceRequest, Sequence[Execution]]]) -> list[Project]:
    """Return the requests that have something to tell: an execution has begun, or they are closed."""
    assignees = await asyncio.to_thread(Assignees, pm.ledger)
    done = [
        (request, work_of(request, runs, await asyncio.to_thread(_withdrawn, request, assignees)))
        for request, runs in listed
    ]
    told = [(r, works) for r, works in done if r.status == CLOSED or any(work.begun for work in works)]
    ids = await pm.atask_ids("task", [keys.compose(request.sr_number) for request, _ in told])
    return [Project(request, works, ids.get(keys.compose(request.sr_number), "")) for request, works in told]


def _withdrawn(request: ServiceRequest, assignees: Assignees) -> list[str]:
    """Return the protocols that were assigned and are withdrawn, as the ERP's credit notes see it."""
    return withdrawn_from(request, list(assignees.known(request.sr_number)))


async def _update_subtasks(
    pm: PMClient, projects: Iterable[Project], rules: ProjectRules, flags: Mapping[str, bool]
) -> Report:
    due = {
        subtask_key(project.number, work.protocol_id): (project.request, work)
        for project in projects
        for work in project.works
        if work.status != OPEN
    }
    ids = await pm.atask_ids("subtask", due)
    records = [subtask_status(*due[key], ids[key], rules) for key in due if key in ids]
    report = await pm.aexchange("update_task", records, **flags)
    # One that is listed no longer and was never created needs no subtask any more.
    report.add(
        unknown(key, "the subtask")
        for key, (request, work) in due.items()
        if key not in ids and work.protocol_id in request.protocols
    )
    return report


async def _update_main(
    pm: PMClient, projects: Iterable[Project], behind: set[str], flags: Mapping[str, bool]
) -> Report:
    """Move the main tasks on; one whose subtasks aren't up to date would be refused, and waits for them."""
    records: list[Record] = []
    waiting: list[Outcome] = []
    for project in projects:
        if not project.task_id:
            waiting.append(unknown(project.key, "the main task"))
        elif project.closed and project.key in behind:
            reason = "its subtasks are not up to date in project management yet"
            waiting.append(Outcome(project.key, Result.DEFERRED, code="SUBTASKS_BEHIND", reason=reason))
        else:
            records.append(main_status(project.request, project.works, project.task_id, closed=project.closed))
    report = await pm.aexchange("update_task", records, **flags)
    report.add(waiting)
    return report


async def _remember(
    pm: PMClient,
    sweep: SweepBacklog,
    projects: Iterable[Project],
    behind: set[str],
    settled: Iterable[ServiceRequest],
    deleted: list[int],
) -> None:
    """Remember which requests need another update even when they are closed, and which assignments have ended."""
    finished = [(each.request, each.closed and each.key not in behind) for each in projects]
    await sweep.keep(finished, deleted, settled=settled)
    ended = {
        project.number: {work.protocol_id for work in project.works if project.closed or work.status == COMPLETE}
        for project in projects
    }
    # A request is followed before it is assigned: what is read first is surely among what is followed afterwards.
    assignees = await asyncio.to_thread(Assignees, pm.ledger)
    followed = await asyncio.to_thread(sweep.take, {}, keep=False)
    await asyncio.to_thread(assignees.done, ended, followed)
