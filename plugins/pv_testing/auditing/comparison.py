"""Compares the trail in the QMS with the ledger's, event by event."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pv_testing.auditing.trail import LEDGER_MARK, OPERATION, ledger_events, source_of
from pv_testing.contracts.model import Find
from pv_testing.integrations.qms import QMSClient

Item = Mapping[str, Any]


@dataclass
class TrailComparison:
    """How the two trails compare.

    Attributes:
        head: the hash of the ledger's last event.
        equal: how many events are the same in both.
        deliveries: how many events only tell of deliveries, or of watermarks; they are in the ledger alone.
        to_come: how many events the next run sends.
        differences: what is wrong, each in a sentence; nothing where all is well.
    """

    head: str = ""
    equal: int = 0
    deliveries: int = 0
    to_come: int = 0
    differences: list[str] = field(default_factory=list)


async def compare_trails(qms: QMSClient) -> TrailComparison:
    """Compare each event of the ledger with its record in the QMS.

    Args:
        qms: the QMS, with the ledger to compare.

    Raises:
        AuditBroken: the ledger's own trail doesn't verify.
        ConfigError: the QMS takes no audit events.
    """
    ledger = qms.ledger
    summary = await asyncio.to_thread(ledger.verify)
    comparison = TrailComparison(head=summary.head)
    if not summary.count:
        return comparison
    operation = (await qms.provider()).operation(OPERATION)
    find = qms.contract.operation(OPERATION).find
    assert find is not None
    listed = await qms.alist("get_audit_events", source=await asyncio.to_thread(source_of, ledger))
    there = _by_key(find, listed)
    mark = int(await asyncio.to_thread(ledger.watermark, LEDGER_MARK) or 0)
    order: list[str] = []
    async for place, record in ledger_events(ledger, 0, operation.kind):
        if record is None:
            comparison.deliveries += 1
            continue
        payload = operation.prepare(record)
        key = find.key_of_sent(payload, {"key": record.key}) or ""
        order.append(key)
        _judge(comparison, place, payload, there.pop(key, []), due=place <= mark)
    comparison.differences += [f"{key} is in the QMS, but not in this ledger" for key in there]
    comparison.differences += _disorder(find, listed, order)
    return comparison


def _by_key(find: Find, listed: Iterable[Item]) -> dict[str, list[Item]]:
    there: dict[str, list[Item]] = defaultdict(list)
    for item in listed:
        there[find.key_of_found(item) or ""].append(item)
    return there


def _judge(comparison: TrailComparison, place: int, payload: Item, items: list[Item], *, due: bool) -> None:
    wrong: list[str] = []
    for item in items:
        wrong += [name for name, value in payload.items() if item.get(name) != value]
    if not items and due:
        comparison.differences.append(f"event {place} is missing in the QMS")
    elif not items:
        comparison.to_come += 1
    elif len(items) > 1:
        comparison.differences.append(f"event {place} is in the QMS {len(items)} times")
    elif wrong:
        comparison.differences.append(f"event {place} differs in {', '.join(wrong)}")
    else:
        comparison.equal += 1


def _disorder(find: Find, listed: Iterable[Item], order: list[str]) -> list[str]:
    """Say which events came to the QMS after later ones."""
    places = {key: place for place, key in enumerate(order)}
    highest, late = -1, []
    for item in listed:
        key = find.key_of_found(item) or ""
        if places.get(key, highest) < highest:
            late.append(f"{key} came to the QMS after a later event")
        highest = max(highest, places.get(key, highest))
    return late
