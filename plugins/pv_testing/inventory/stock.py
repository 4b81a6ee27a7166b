"""The ERP's stock follows the laboratory: where customers' modules are, and what tests have used up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timezone, tzinfo

from pv_testing.config import lab_zone
from pv_testing.core import keys
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.domain.status import STATES, TESTED, rank
from pv_testing.exchange.report import Report
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import FrameworkClient, gather_bounded
from pv_testing.inventory.consumables import draw_records
from pv_testing.inventory.days import step_days
from pv_testing.inventory.policy import STEPS, InventoryPolicy
from pv_testing.inventory.stay import Stay, movement_keys
from pv_testing.ledger import Claim, Decision, State
from pv_testing.workflow.executions import list_complete, readable
from pv_testing.workflow.selection import UNDER_TEST
from pv_testing.workflow.step import Step

MOVE = "record_stock_movement"
DRAW = "draw_consumable"
STOCK = "erp/stock"
DRAWN = "erp/consumables"


class StockStep(Step[ERPClient, Report]):
    """A step whose records go to the ERP's stock; it also finishes requests that have been closed meanwhile.

    Args:
        framework: where the requests are.
        erp: where the stock is.
        policy: the laboratory's rules; ``inventory.yaml`` without it.
        zone: the laboratory's time zone; the configuration's without it.
        replay: try records again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.
    """

    def __init__(
        self,
        framework: FrameworkClient,
        erp: ERPClient,
        policy: InventoryPolicy | None = None,
        zone: tzinfo | None = None,
        *,
        replay: bool = False,
        dry_run: bool = False,
    ) -> None:
        super().__init__(framework, erp, replay=replay, dry_run=dry_run)
        self.policy = policy or InventoryPolicy.read()
        self.zone = zone or lab_zone()
        self.days = self.policy.closed_days

    async def decisions(self, operation: str, keys: Sequence[str]) -> dict[str, Decision]:
        """Say what the ledger knows of records: ``CHANGED`` is in effect, ``NEW`` is not, anything else is perhaps."""
        kind = self.client.contract.operation(operation).kind
        of_no_version = [Claim(key, "") for key in keys]
        answers = await asyncio.to_thread(self.ledger.peek, self.client.system, kind, of_no_version)
        return {answer.key: answer.decision for answer in answers}


class MoveStock(StockStep):
    """Book the movements of the service requests' modules: received, stored, then returned or scrapped.

    Each movement is sent by itself, and only for modules whose movement before is in effect. One that is in effect
    stays as it is, whatever the rules say later. A request is finished when each of its modules has made the last one
    that is booked at all.
    """

    sweep = STOCK

    @property
    def enabled(self) -> bool:
        """Whether the laboratory wants any movement booked."""
        return bool(self.policy.states)

    def states(self) -> Sequence[str]:
        """Return the states from receipt on."""
        return STATES[rank(self.policy.states["received"]) : -1]

    async def carry(self) -> Report:
        """Book step after step, then show the modules that are booked and listed no longer."""
        report = self.report(MOVE)
        every: list[Stay] = []
        self._stays: list[Stay] = []
        for stay, unread in await gather_bounded([self._stay(request) for request in self.requests]):
            every.append(stay)
            report.add(unread)
            if not unread:
                self._stays.append(stay)
        if not self.dry_run:
            await self.backlog.keep(_progress(every))
        for step in STEPS:
            if report.error is None:
                await self._take(step, report)
        if report.error is None:
            strays: list[Record] = []
            for stay in self._stays:
                strays += stay.strays()
            await self.exchange_into(report, strays)
        for stay in self._stays:
            report.notes += stay.notes()
        report.close()
        return report

    async def remember(self) -> None:
        """Remember which requests are finished, and which need not be read before they change."""
        settled = [stay.request for stay in self._stays if stay.is_settled]
        await self.backlog.keep(_progress(self._stays), self.deleted, settled=settled)

    async def _take(self, step: str, report: Report) -> None:
        records: list[Record] = []
        stays = [stay for stay in self._stays if step in stay.steps]
        for stay in stays:
            due, others = stay.step(step)
            records += due
            report.add(others)
        outcomes = await self.exchange_into(report, records)
        for stay in stays:
            stay.book(outcomes)

    async def _stay(self, request: ServiceRequest) -> tuple[Stay, Sequence[Outcome]]:
        """Read what the ledger and, only where a step is new or the last one, the framework's executions say.

        An execution that can't be read may be the one that decides how a module leaves; then its request waits.
        """
        decisions = await self.decisions(MOVE, movement_keys(request))
        booked = {key for key, decision in decisions.items() if decision is Decision.CHANGED}
        booked |= await asyncio.to_thread(self._booked, request.sr_number)
        begun = [key for key, decision in decisions.items() if decision is not Decision.NEW]
        stay = Stay(request, self.policy, booked, begun)
        known = await self._known_days(request)
        executions: list[Execution] = []
        unread: list[Outcome] = []
        if STEPS[-1] in stay.steps or not known.keys() >= set(stay.steps):
            executions, unread = readable(request, await self.framework.alist("list_executions", sr_id=request.id))
        days = step_days(request, executions, stay.steps, known, datetime.now(timezone.utc).astimezone(self.zone))
        stay.know(days, executions)
        if not self.dry_run and days.keys() - known.keys():
            written = {step: day.isoformat() for step, day in days.items()}
            await asyncio.to_thread(self.ledger.update, _days_name(request), lambda kept: {**written, **kept}, {})
        return stay, unread

    def _booked(self, sr_number: str) -> set[str]:
        """Return the keys of all movements that are in effect, whatever modules the request lists now."""
        kind = self.client.contract.operation(MOVE).kind
        own = keys.prefix(keys.compose(sr_number))
        return {entry.key for entry in self.ledger.entries(self.client.system, kind, [State.CONFIRMED], prefix=own)}

    async def _known_days(self, request: ServiceRequest) -> dict[str, date]:
        """Return the days that an earlier run has come to."""
        kept: Mapping[str, str] = await asyncio.to_thread(self.ledger.state, _days_name(request), {})
        return {step: date.fromisoformat(day) for step, day in kept.items()}


class DrawConsumables(StockStep):
    """Draw what the completed executions of the service requests have used up, once for each execution and item.

    A draw that is in effect stays as it is, whatever the rules say later. A closed request is finished when all its
    executions have ended and everything that they used up is drawn.
    """

    sweep = DRAWN
    executions = "COMPLETE"

    @property
    def enabled(self) -> bool:
        """Whether the laboratory wants anything drawn."""
        return bool(self.policy.consumables)

    def states(self) -> Sequence[str]:
        """Return the states from the first execution on."""
        return UNDER_TEST

    async def carry(self) -> Report:
        """Draw what isn't drawn yet."""
        report = self.report(DRAW)
        self.requests = [request for request in self.requests if request.status in TESTED]
        records = await self._records(report)
        decisions = await self.decisions(DRAW, [record.key for record in records])
        self._drawn = {key for key, decision in decisions.items() if decision is Decision.CHANGED}
        report.add(Outcome(key, Result.UNCHANGED) for key in self._drawn)
        if not self.dry_run:
            undone = [request for request in self.requests if not self.is_done(request)]
            await self.backlog.begin(undone)
        outcomes = await self.exchange_into(report, [record for record in records if record.key not in self._drawn])
        self._drawn |= {outcome.key for outcome in outcomes if outcome.result.in_effect}
        report.close()
        return report

    async def _records(self, report: Report) -> list[Record]:
        """Return all draws of the tested requests, and report what can't be read or is waited for."""
        listed = await gather_bounded([list_complete(self.framework, request) for request in self.requests])
        self._keys: dict[str, list[str]] = {}
        self._under_way: set[str] = set()
        records: list[Record] = []
        for request, rows in zip(self.requests, listed, strict=True):
            draws = draw_records(request.sr_number, rows.complete, self.policy, self.zone)
            self._keys[request.sr_number] = [record.key for record in draws]
            records += draws
            report.add(rows.unread)
            report.notes += rows.notes(request)
            if rows.under_way or rows.unread:
                self._under_way.add(request.sr_number)
        return records

    def is_done(self, request: ServiceRequest) -> bool:
        """Say whether a request's tests have ended, if it is closed, and all is drawn."""
        return request.sr_number not in self._under_way and self._drawn.issuperset(self._keys[request.sr_number])


def _progress(stays: Iterable[Stay]) -> list[tuple[ServiceRequest, bool]]:
    """Return how far requests are; remembered before anything is sent too, so that a killed worker forgets none."""
    return [(stay.request, stay.finished) for stay in stays if stay.steps]


def _days_name(request: ServiceRequest) -> str:
    return f"{STOCK}/{request.sr_number}"


move_stock = MoveStock.over
draw_consumables = DrawConsumables.over
