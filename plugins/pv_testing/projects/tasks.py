"""Service requests of the framework as projects: a main task each, and a subtask for each assigned protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from pv_testing.core import keys
from pv_testing.core.concurrency import together
from pv_testing.core.errors import PermissionDenied
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import TESTED
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.integrations.pm import PMClient
from pv_testing.projects import ProjectRules
from pv_testing.projects.assignees import Assignees
from pv_testing.projects.people import User
from pv_testing.projects.records import main_task, subtask, subtask_key
from pv_testing.workflow.executions import readable
from pv_testing.workflow.sweep_backlog import CLOSED, SweepBacklog

# The sweeps: they come back until a request is closed, and its tasks, its last update and its hours are in effect.
TASK_SWEEP, STATUS_SWEEP, HOURS_SWEEP = "pm/projects", "pm/tasks", "pm/hours"


async def create_tasks(
    framework: FrameworkClient,
    pm: PMClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    rules: ProjectRules | None = None,
) -> list[Report]:
    """Create the main task of each service request, and its subtasks once the protocols are assigned.

    Args:
        framework: where the requests are.
        pm: where the tasks are to be.
        sr_ids: the framework's ids of the requests; one that has been deleted is noted, nothing downstream is.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        rules: the laboratory's; those of ``projects.yaml`` by default.

    Returns:
        What became of the main tasks, and of the subtasks.
    """
    rules = rules or ProjectRules.read()
    sweep = await asyncio.to_thread(SweepBacklog, pm.ledger, TASK_SWEEP)
    requests, missing = await framework.aservice_requests(sr_ids)
    assigned = [request for request in requests if request.assigned]
    if not dry_run:
        await _begin(pm, sweep, requests, assigned)
    tasks = [main_task(request, rules) for request in requests]
    report = await pm.aexchange("create_task", tasks, replay=replay, dry_run=dry_run)
    missing.add_to(report)
    parents = await pm.atask_ids("task", [keys.compose(request.sr_number) for request in assigned])
    records, unplanned = await _subtasks(framework, pm, assigned, parents, rules, keep=not dry_run)
    inner = await pm.aexchange("create_subtask", records, replay=replay, dry_run=dry_run)
    inner.add(unplanned)
    inner.add(_orphans(assigned, parents, dry_run=dry_run))
    nobody = sum(1 for record in records if not record.data["assignee"])
    if nobody:
        inner.notes.append(f"{nobody} subtasks are planned for nobody: no active user had one of the roles")
    if not dry_run:
        waiting = {outcome.key for each in (report, inner) for outcome in each.not_in_effect()}
        stopped = report.error is not None or inner.error is not None
        done = [each for each in requests if not stopped and not _keys(each) & waiting]
        finished = [(each, each.status == CLOSED and not _keys(each) & waiting) for each in requests]
        await sweep.keep(finished, missing.deleted, settled=done)
    return [report, inner]


async def _begin(
    pm: PMClient, sweep: SweepBacklog, requests: Iterable[ServiceRequest], assigned: Iterable[ServiceRequest]
) -> None:
    """Let every sweep know these requests, however soon they are closed; those without protocols only the first."""
    await sweep.begin(requests)
    for name in (STATUS_SWEEP, HOURS_SWEEP):
        await (await asyncio.to_thread(SweepBacklog, pm.ledger, name)).begin(assigned)


def _keys(request: ServiceRequest) -> set[str]:
    return {keys.compose(request.sr_number), *(subtask_key(request.sr_number, each) for each in request.protocols)}


async def _subtasks(
    framework: FrameworkClient,
    pm: PMClient,
    assigned: Iterable[ServiceRequest],
    parents: Mapping[str, str],
    rules: ProjectRules,
    *,
    keep: bool,
) -> tuple[list[Record], list[Outcome]]:
    """Return the subtasks, and the outcomes of those of which nobody can say yet whom they are assigned to."""
    requests = [request for request in assigned if keys.compose(request.sr_number) in parents]
    records: list[Record] = []
    waiting: list[Outcome] = []
    if not requests:
        return records, waiting
    protocols, users = await together(framework.aprotocols(), _users(framework, rules))
    assignees = await asyncio.to_thread(Assignees, pm.ledger, keep=keep)
    for request in requests:
        wanted = (request.sr_number, request.protocols, users, rules.roles)
        who = await asyncio.to_thread(assignees.assign, *wanted)
        parent = parents[keys.compose(request.sr_number)]
        known = [each for each in request.protocols if each in who]
        records += [subtask(request, each, protocols, parent, who[each], rules) for each in known]
        waiting += [_unplanned(request, each) for each in request.protocols if each not in who]
    return records, waiting


async def _users(framework: FrameworkClient, rules: ProjectRules) -> list[User] | None:
    """Return the users who may be assigned; ``None`` where the framework refuses to list them, which may pass."""
    try:
        return list((await framework.ausers(needed=True)).values()) if rules.roles else []
    except PermissionDenied:
        return None


def _unplanned(request: ServiceRequest, protocol: str) -> Outcome:
    """Return the outcome of a subtask that waits: once it is there, its assignee is not sent any more."""
    reason = "the framework refuses to list its users, so that nobody can be assigned; let this account list them"
    return Outcome(subtask_key(request.sr_number, protocol), Result.DEFERRED, code="USERS_REFUSED", reason=reason)


def _orphans(requests: Iterable[ServiceRequest], parents: Mapping[str, str], *, dry_run: bool) -> Iterable[Outcome]:
    """Give the subtasks whose main task isn't there; where that is only rehearsed, they would be created."""
    for request in requests:
        if keys.compose(request.sr_number) not in parents:
            for protocol in request.protocols:
                key = subtask_key(request.sr_number, protocol)
                yield Outcome(key, Result.CREATED) if dry_run else unknown(key, f"the main task {request.sr_number}")


def unknown(key: str, task: str) -> Outcome:
    """Return the outcome of a record whose task isn't there yet.

    Args:
        key: the record's business key.
        task: names the task.
    """
    reason = f"{task} is not in project management yet; the task create_tasks of pv_projects creates it"
    return Outcome(key, Result.DEFERRED, code="TASK_UNKNOWN", reason=reason)


async def under_test(
    framework: FrameworkClient, requests: Iterable[ServiceRequest]
) -> tuple[list[tuple[ServiceRequest, Sequence[Execution]]], list[Outcome]]:
    """Return the service requests whose tests have begun, each with the executions that the framework lists.

    The listing says all that tasks and hours need; no results are read. An execution that begins while the listing is
    read may shift another one from one page into the next; each counts once, as it was said last. A request of which a
    row can't be understood is left out, for nobody could say how far it is; the outcomes of such rows are returned too.
    """
    tested = [request for request in requests if request.status in TESTED]
    reads = [framework.alist("list_executions", sr_id=request.id) for request in tested]
    read = [readable(each, rows) for each, rows in zip(tested, await gather_bounded(reads, limit=2), strict=True)]
    runs = [list({run.execution_id: run for run in executions}.values()) for executions, _ in read]
    listed: list[tuple[ServiceRequest, Sequence[Execution]]]
    listed = [(each, ran) for each, ran, (_, unread) in zip(tested, runs, read, strict=True) if not unread]
    return listed, [outcome for _, unread in read for outcome in unread]
