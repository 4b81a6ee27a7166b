"""The ERP's stock follows the laboratory: where customers' modules are, and what tests have used up."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date, datetime, timezone, tzinfo

from pv_testing.config import lab_zone
from pv_testing.core import keys
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import TESTED
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.inventory.consumables import draw_records
from pv_testing.inventory.days import step_days
from pv_testing.inventory.policy import STEPS, InventoryPolicy
from pv_testing.inventory.stay import Stay, movement_keys
from pv_testing.ledger import Claim, Decision, State
from pv_testing.workflow.executions import ListedExecutions, list_complete, readable
from pv_testing.workflow.sweep_backlog import SweepBacklog

MOVE = "record_stock_movement"
DRAW = "draw_consumable"
STOCK = "erp/stock"
DRAWN = "erp/consumables"


async def move_stock(
    framework: FrameworkClient,
    erp: ERPClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    policy: InventoryPolicy | None = None,
    zone: tzinfo | None = None,
) -> Report:
    """Book the movements of the service requests' modules: received, stored, then returned or scrapped.

    Each step is sent by itself, and only for modules whose step before is in effect. A movement that is in effect stays
    as it is, whatever the rules say later.

    Args:
        framework: where the requests are.
        erp: where the movements are to be.
        sr_ids: the framework's ids of the requests; one that has been deleted is noted, its modules stay booked.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
        policy: the laboratory's rules; ``inventory.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.
    """
    policy, zone = policy or InventoryPolicy.read(), zone or lab_zone()
    report = Report(MOVE, erp.system, erp.config.provider, dry_run=dry_run)
    memory = await asyncio.to_thread(SweepBacklog, erp.ledger, STOCK, policy.closed_days)
    requests, missing = await framework.aservice_requests(sr_ids if policy.states else ())
    read = await gather_bounded([_stay(framework, erp, each, policy, zone, keep=not dry_run) for each in requests])
    if not dry_run:
        await memory.keep(_far(stay for stay, _ in read), missing.deleted)
    report.add(outcome for _, unread in read for outcome in unread)
    stays = [stay for stay, unread in read if not unread]
    for step in STEPS:
        if report.error is None:
            await _take_step(step, [stay for stay in stays if step in stay.steps], erp, report, replay=replay)
    if report.error is None:
        strays = [record for stay in stays for record in stay.strays()]
        await _send(erp, MOVE, strays, report, replay=replay)
    report.notes += [note for stay in stays for note in stay.notes()]
    missing.add_to(report)
    if not dry_run:
        await memory.keep(_far(stays), settled=[stay.request for stay in stays if stay.is_settled])
    report.close()
    return report


def _far(stays: Iterable[Stay]) -> list[tuple[ServiceRequest, bool]]:
    """Return how far requests are; remembered before anything is sent too, so that a killed worker forgets none."""
    return [(stay.request, stay.finished) for stay in stays if stay.steps]


async def _take_step(step: str, stays: Sequence[Stay], erp: ERPClient, report: Report, *, replay: bool) -> None:
    records: list[Record] = []
    for stay in stays:
        due, others = stay.step(step)
        records += due
        report.add(others)
    outcomes = await _send(erp, MOVE, records, report, replay=replay)
    for stay in stays:
        stay.book(outcomes)


async def _stay(
    framework: FrameworkClient,
    erp: ERPClient,
    request: ServiceRequest,
    policy: InventoryPolicy,
    zone: tzinfo,
    *,
    keep: bool,
) -> tuple[Stay, Sequence[Outcome]]:
    """Read what the ledger and, only where a step is new or the last one, the framework's executions say.

    An execution that can't be read may be the one that decides how a module leaves; then its request waits.
    """
    fates = await _fates(erp, MOVE, movement_keys(request))
    booked = {key for key, decision in fates.items() if decision is Decision.CHANGED}
    booked |= await asyncio.to_thread(_booked, erp, request.sr_number)
    begun = [key for key, decision in fates.items() if decision is not Decision.NEW]
    stay = Stay(request, policy, booked, begun)
    known = await _known_days(erp, request)
    executions: list[Execution] = []
    unread: list[Outcome] = []
    if STEPS[-1] in stay.steps or not known.keys() >= set(stay.steps):
        executions, unread = readable(request, await framework.alist("list_executions", sr_id=request.id))
    days = step_days(request, executions, stay.steps, known, datetime.now(timezone.utc).astimezone(zone))
    stay.know(days, executions)
    if keep and days.keys() - known.keys():
        name = f"{STOCK}/{request.sr_number}"
        written = {step: day.isoformat() for step, day in days.items()}
        await asyncio.to_thread(erp.ledger.update, name, lambda kept: {**written, **kept}, {})
    return stay, unread


def _booked(erp: ERPClient, sr_number: str) -> set[str]:
    """Return the keys of all movements that are in effect, whatever modules the request lists now."""
    kind = erp.contract.operation(MOVE).kind
    own = keys.prefix(keys.compose(sr_number))
    return {entry.key for entry in erp.ledger.entries(erp.system, kind, [State.CONFIRMED], prefix=own)}


async def _known_days(erp: ERPClient, request: ServiceRequest) -> dict[str, date]:
    """Return the days that an earlier run has come to."""
    kept: Mapping[str, str] = await asyncio.to_thread(erp.ledger.state, f"{STOCK}/{request.sr_number}", {})
    return {step: date.fromisoformat(day) for step, day in kept.items()}


async def draw_consumables(
    framework: FrameworkClient,
    erp: ERPClient,
    sr_ids: Iterable[int],
    *,
    replay: bool = False,
    dry_run: bool = False,
    policy: InventoryPolicy | None = None,
    zone: tzinfo | None = None,
) -> Report:
    """Draw what the completed executions of the service requests have used up, once for each execution and item.

    A draw that is in effect stays as it is, whatever the rules say later. The arguments are those of `move_stock`.
    """
    policy, zone = policy or InventoryPolicy.read(), zone or lab_zone()
    report = Report(DRAW, erp.system, erp.config.provider, dry_run=dry_run)
    memory = await asyncio.to_thread(SweepBacklog, erp.ledger, DRAWN, policy.closed_days)
    requests, missing = await framework.aservice_requests(sr_ids if policy.consumables else ())
    tested = [request for request in requests if request.status in TESTED]
    listed = await gather_bounded([list_complete(framework, each) for each in tested])
    records = _draws(zip(tested, listed, strict=True), policy, zone)
    under_way = {each.sr_number for each, rows in zip(tested, listed, strict=True) if rows.under_way or rows.unread}
    report.add(outcome for rows in listed for outcome in rows.unread)
    every = [record for of in records.values() for record in of]
    fates = await _fates(erp, DRAW, [record.key for record in every])
    drawn = {key for key, decision in fates.items() if decision is Decision.CHANGED}
    report.add(Outcome(key, Result.UNCHANGED) for key in drawn)
    report.notes += [note for each, rows in zip(tested, listed, strict=True) for note in rows.notes(each)]
    if not dry_run:
        before = _drawn(records, drawn, under_way)
        await memory.keep([(each, False) for each in tested if each.sr_number not in before], missing.deleted)
    outcomes = await _send(erp, DRAW, [record for record in every if record.key not in drawn], report, replay=replay)
    drawn |= {outcome.key for outcome in outcomes if outcome.result.in_effect}
    missing.add_to(report)
    if not dry_run:
        await memory.settle(tested, _drawn(records, drawn, under_way))
    report.close()
    return report


def _drawn(records: Mapping[str, Sequence[Record]], drawn: Container[str], under_way: Container[str]) -> set[str]:
    """Return the numbers of the requests whose tests have ended, if they are closed, and of which all is drawn."""
    return {number for number, of in records.items() if number not in under_way and all(r.key in drawn for r in of)}


def _draws(
    listed: Iterable[tuple[ServiceRequest, ListedExecutions]], policy: InventoryPolicy, zone: tzinfo
) -> dict[str, list[Record]]:
    """Return what the completed executions of each request have used up."""
    return {request.sr_number: draw_records(request.sr_number, rows.complete, policy, zone) for request, rows in listed}


async def _send(
    erp: ERPClient, operation: str, records: Sequence[Record], report: Report, *, replay: bool
) -> Sequence[Outcome]:
    """Send records, take what became of them into the report, and return it."""
    if not records:
        return ()
    part = await erp.aexchange(operation, records, replay=replay, dry_run=report.dry_run)
    report.add(part.outcomes)
    report.error = part.error
    return part.outcomes


async def _fates(erp: ERPClient, operation: str, keys: Sequence[str]) -> dict[str, Decision]:
    """Say what the ledger knows of records: ``CHANGED`` is in effect, ``NEW`` is not, anything else is perhaps."""
    kind = erp.contract.operation(operation).kind
    of_no_version = [Claim(key, "") for key in keys]
    answers = await asyncio.to_thread(erp.ledger.peek, erp.system, kind, of_no_version)
    return {answer.key: answer.decision for answer in answers}
