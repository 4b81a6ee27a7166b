"""Shows that nothing is sent, and nothing fails, for a record that another attempt has taken over."""

from __future__ import annotations

import asyncio

from pv_testing.errors import AmbiguousOutcome, LeaseLost
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.exchange.types import Result
from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target, records


class Ended(OperationLimits):
    """Limits whose leases must be prolonged before every request."""

    lease = property(lambda _: 0.0)  # type: ignore[assignment]


class Short(OperationLimits):
    """Limits whose leases must be prolonged 0.2 s after they were given."""

    lease = property(lambda limits: limits.timeout + limits.horizon + 0.2)  # type: ignore[assignment]


class Taken(Ledger):
    """A ledger in which another attempt takes one record over.

    Args:
        key: the record.
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key, self.taken = key, True

    def renew(self, claimed, lease):
        super().renew([claim for claim in claimed if claim.key != self.key], lease)
        if self.taken and any(claim.key == self.key for claim in claimed):
            raise LeaseLost("another attempt has taken it over")


def keys(number: int) -> list[str]:
    return [record.key for record in records(number)]


class Slow(Target):
    """A system whose answer to the first record is lost, and whose look-up lasts until others have been sent."""

    def __init__(self, ledger: Taken) -> None:
        super().__init__(Ended(concurrency=2, timeout=1, horizon=0))
        self.ledger, self.first, self.later = ledger, keys(1)[0], asyncio.Event()

    async def send(self, batch):
        if self.ledger.taken:
            self.later.set()
        replies = await super().send(batch)
        if batch[0].key == self.first:
            raise AmbiguousOutcome("connection dropped")
        return replies

    async def find(self, batch):
        self.ledger.taken = True
        await asyncio.wait_for(self.later.wait(), 5)
        return await super().find(batch)


def test_a_record_taken_over_while_it_is_looked_up_stops_nothing():
    with Taken(keys(1)[0]) as ledger:
        ledger.taken = False
        report = Exchange(Slow(ledger), ledger).run(records(20))
    assert report.counts()["created"] == 19
    assert [(o.key, o.result, o.code) for o in report.not_in_effect()] == [(keys(1)[0], Result.DEFERRED, "LEASE_LOST")]


class Beginning(Target):
    """A system that takes its time for the first record."""

    async def send(self, batch):
        if not self.sent:
            await asyncio.sleep(0.3)
        return await super().send(batch)


def test_a_record_that_a_renewal_has_shown_to_be_taken_over_is_not_sent():
    last = keys(5)[-1]
    target = Beginning(Short(concurrency=1, timeout=1, horizon=0))
    with Taken(last) as ledger:
        report = Exchange(target, ledger).run(records(5))
    assert last not in target.sent
    assert report.counts()["created"] == 4
    assert [(o.key, o.code) for o in report.not_in_effect()] == [(last, "LEASE_LOST")]
