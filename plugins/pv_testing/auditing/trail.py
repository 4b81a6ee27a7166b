"""The audit trails of the ledger and of the framework go to the QMS: in order, without gaps, each event once.

Batches go one after the other, and nothing new is begun before what an earlier attempt has begun is in effect. A
watermark in the ledger says how far all is in effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from pv_testing.auditing import events as audit
from pv_testing.core.records import NOTHING, Record, Result
from pv_testing.exchange.report import Report
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.integrations.qms import QMSClient
from pv_testing.ledger import Ledger
from pv_testing.ledger.marks import TRAIL_SENT

OPERATION = "log_audit_event"
LISTING = "list_audit_events"
LEDGER_MARK = TRAIL_SENT
FRAMEWORK_MARK = "qms/audit_event/framework"
STOPPED = "stopped here; what follows in the trail is sent once all of this is in effect"
OVERLAP = 100
PAGE = 5_000


class Placed(NamedTuple):
    """One event of a source.

    Attributes:
        place: its number in the source's order; 0 where it has none.
        record: what is to be sent; ``None`` for an event that isn't.
    """

    place: int
    record: Record | None


async def send_ledger_events(qms: QMSClient, *, replay: bool = False, dry_run: bool = False) -> Report:
    """Send what the ledger's audit trail has gained.

    Args:
        qms: where it goes; its ledger is the one that is read.
        replay: try events again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.

    Raises:
        ConfigError: the QMS takes no audit events (``NO_OPERATION``).
    """
    kind = (await qms.provider()).operation(OPERATION).kind
    mark = await _mark(qms.ledger, LEDGER_MARK)
    sender = TrailSender(qms, LEDGER_MARK, mark, replay=replay, dry_run=dry_run)
    return await sender.send(ledger_events(qms.ledger, mark, kind))


async def ledger_events(ledger: Ledger, after: int, kind: str) -> AsyncIterator[Placed]:
    """Give the ledger's events behind a sequence number, without a record where one is no matter of the QMS."""
    source = ""
    while events := await asyncio.to_thread(list, ledger.events(after, PAGE)):
        source = source or await asyncio.to_thread(source_of, ledger)
        for event in events:
            stays = audit.is_mark(event) or audit.is_delivery(event, kind)
            yield Placed(event.sequence, None if stays else audit.ledger_record(event, source))
        after = events[-1].sequence


def source_of(ledger: Ledger) -> str:
    """Return the name of a ledger in the QMS; it has an event already."""
    return audit.ledger_source(next(ledger.events(limit=1)))


async def send_framework_events(
    framework: FrameworkClient, qms: QMSClient, *, replay: bool = False, dry_run: bool = False
) -> Report:
    """Send what the framework's audit trail has gained.

    The last events before the watermark are read once more, in case one of them was written later than its number says;
    those that are in effect are known by their keys. A framework whose contract has no such listing is noted.

    Args:
        framework: where the events are.
        qms: where they go. With ``mask_ip: true`` among its options, IP addresses are cut to their network.
        replay: try events again that wait for a person.
        dry_run: say what would happen, and change nothing anywhere.

    Raises:
        ConfigError: the QMS takes no audit events (``NO_OPERATION``).
    """
    mark = await _mark(qms.ledger, FRAMEWORK_MARK)
    sender = TrailSender(qms, FRAMEWORK_MARK, mark, replay=replay, dry_run=dry_run)
    without_zone: list[str] = []
    offered = LISTING in framework.contract.operations
    events = framework_events(framework, mark, without_zone, mask_ip=qms.options["mask_ip"]) if offered else _none()
    report = await sender.send(events)
    if not offered:
        report.notes.append(f"the framework's contract has no {LISTING}; its own audit events stay where they are")
    if without_zone:
        first = without_zone[0]
        report.notes.append(f"{len(without_zone)} times have no zone and are taken as UTC, such as that of {first}")
    return report


async def framework_events(
    framework: FrameworkClient, mark: int, without_zone: list[str], *, mask_ip: bool = False
) -> AsyncIterator[Placed]:
    """Give the framework's events from a little before a mark on.

    Args:
        framework: where they are.
        mark: the highest number that is in effect in the QMS.
        without_zone: takes the keys of events whose time names no zone.
        mask_ip: cut IP addresses to their network.
    """
    rows = (await framework.provider()).listing(LISTING, from_id=max(0, mark - OVERLAP) or None)
    async for row in rows:
        record = audit.framework_record(row, mask_ip=mask_ip)
        if audit.lacks_zone(row):
            without_zone.append(record.key)
        yield Placed(audit.place_of(row), record)


async def _none() -> AsyncIterator[Placed]:
    no_events: tuple[Placed, ...] = ()
    for placed in no_events:
        yield placed


async def _mark(ledger: Ledger, name: str) -> int:
    return int(await asyncio.to_thread(ledger.watermark, name) or 0)


class TrailSender:
    """Sends the events of one source to the QMS.

    Args:
        qms: where they go.
        name: of the watermark.
        mark: where the watermark is.
        replay: try events again that wait for a person.
        dry_run: only say what would happen.
    """

    def __init__(self, qms: QMSClient, name: str, mark: int, *, replay: bool, dry_run: bool) -> None:
        self._qms = qms
        self._name = name
        self._mark = mark
        self._replay = replay
        self._dry_run = dry_run
        self._report = Report(OPERATION, qms.system, qms.config.provider, dry_run=dry_run)

    async def send(self, source: AsyncIterator[Placed]) -> Report:
        """Send event after event until the source ends or one isn't in effect.

        Args:
            source: the events in their order.
        """
        size = (await self._qms.provider()).operation(OPERATION).limits.batch_size
        batch: list[Placed] = []
        seen = self._mark
        complete = True
        async for placed in source:
            seen = max(seen, placed.place)
            if placed.record is not None:
                batch.append(placed)
            if len(batch) == size:
                complete = await self._carry(batch)
                batch = []
                if not complete:
                    break
        if complete and await self._carry(batch):
            await self._keep(seen)
        else:
            self._report.notes.append(STOPPED)
        self._report.close()
        return self._report

    async def _carry(self, batch: list[Placed]) -> bool:
        """Send a batch; first that part of it which an earlier attempt has begun."""
        begun = await self._begun(batch)
        parts = [part for part in (batch[:begun], batch[begun:]) if part]
        for part in parts:
            if not await self._send(part):
                return False
        return True

    async def _begun(self, batch: list[Placed]) -> int:
        """Return how many events there are up to the last one that isn't new to the ledger, or can't be carried."""
        if not batch or self._dry_run:
            return 0
        plan = await self._exchange(batch, dry_run=True)
        begun = {outcome.key for outcome in plan.outcomes if outcome.result is not Result.CREATED}
        places = [place for place, event in enumerate(batch, start=1) if event.record and event.record.key in begun]
        return max(places, default=0)

    async def _send(self, part: list[Placed]) -> bool:
        report = await self._exchange(part, dry_run=self._dry_run)
        self._report.add(outcome._replace(body=NOTHING) for outcome in report.outcomes)
        self._report.error = report.error
        if self._dry_run:
            return True
        if report.error is not None or report.not_in_effect():
            return False
        await self._keep(max(event.place for event in part))
        return True

    async def _exchange(self, part: list[Placed], *, dry_run: bool) -> Report:
        records = [event.record for event in part if event.record is not None]
        return await self._qms.aexchange(OPERATION, records, replay=self._replay, dry_run=dry_run)

    async def _keep(self, place: int) -> None:
        if place > self._mark and not self._dry_run:
            self._mark = place
            await asyncio.to_thread(self._qms.ledger.set_watermark, self._name, str(place))
