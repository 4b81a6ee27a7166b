"""A system that records can be brought into, with the bad habits of real ones; it accepts the same key twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pv_testing.core.errors import AmbiguousOutcome, MappingError
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger


class Ending(Ledger):
    """A ledger whose leases have ended when the next attempt comes."""

    def claim(self, system, kind, items, *, owner, lease):
        del lease
        return super().claim(system, kind, items, owner=owner, lease=0.0)

    def renew(self, claimed, lease):
        del lease
        super().renew(claimed, 0.0)


Fault = Callable[[Sequence[Prepared]], "Exception | None"]


def nothing(_: Sequence[Prepared]) -> None:
    """No fault."""


class Target:
    """Holds what has taken effect; an ``Operation`` for the engine at the same time."""

    name, system, provider, kind = "create_sample", "lims", "Target", "sample"

    def __init__(self, limits: OperationLimits | None = None, *, can_find: bool = True) -> None:
        self.limits = limits or OperationLimits(batch_size=10, concurrency=4, timeout=0.4, horizon=0.05)
        self.rows: list[tuple[str, Payload, int]] = []
        self.sent: list[str] = []
        self.look_ups = 0
        self.before: Fault = nothing
        self.after: Fault = nothing
        self.refuses: set[str] = set()
        self.commit_delay = 0.0
        self.compares_content = True
        self.can_find = can_find
        self._late: set[asyncio.Task[None]] = set()

    def prepare(self, record: Record) -> Payload:
        if record.data.get("bad"):
            raise MappingError("Missing field: power_rating", code="FIELD_MISSING")
        return {"external_id": record.key, **record.data}

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        self.sent += [item.key for item in batch]
        await asyncio.sleep(0)
        error = self.before(batch)
        if error is not None:
            raise error
        if self.commit_delay:
            task = asyncio.ensure_future(self._commit_late(batch))
            self._late.add(task)
            raise AmbiguousOutcome("timed out")
        replies = [self._take(item) for item in batch]
        error = self.after(batch)
        if error is not None:
            raise error
        return replies

    async def _commit_late(self, batch: Sequence[Prepared]) -> None:
        delay, self.commit_delay = self.commit_delay, 0.0
        await asyncio.sleep(delay)
        for item in batch:
            self._take(item)

    def _take(self, item: Prepared) -> Reply:
        if item.key in self.refuses:
            return Reply(Verdict.REJECTED, reason="the customer is unknown", code="CUSTOMER_UNKNOWN")
        self.rows.append((item.key, item.payload, item.revision))
        return Reply(Verdict.OK, external_id=item.external_id or f"T-{len(self.rows)}")

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        self.look_ups += 1
        if not self.can_find:
            return None
        wanted = {item.key: item for item in batch}
        by_key: dict[str, Found] = {}
        for key, payload, _ in self.rows:
            if key in wanted:
                copies = sum(1 for other in self.rows if other[0] == key and other[2] == 1)
                by_key[key] = Found(
                    f"T-{key}", in_effect=not self.compares_content or payload == wanted[key].payload, copies=copies
                )
        return by_key

    def times(self) -> Counter[str]:
        """How often each version of each record has taken effect."""
        return Counter(f"{key}#{revision}" for key, _, revision in self.rows)


def records(number: int, **data: object) -> list[Record]:
    return [Record(f"SR-2025-0001/SN{place:04}", {"place": place, **data}) for place in range(number)]
