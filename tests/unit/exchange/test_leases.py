"""Shows that nothing is sent without a lease, and that a record which another attempt has taken over stops nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from pv_testing.core.errors import AmbiguousOutcome, LeaseLost, LedgerError
from pv_testing.core.records import Result
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target, records


class Short(OperationLimits):
    """Limits whose leases must be prolonged 0.2 s after they were given."""

    lease = property(lambda limits: limits.timeout + limits.horizon + 0.2)  # type: ignore[assignment]


class Taken(Ledger):
    """A ledger in which another attempt takes one record over.

    Args:
        key: the record.
    """

    def __init__(self, key: str) -> None:
        super().__init__("sqlite://")
        self.key, self.asked_for_it = key, False

    def renew(self, claimed, lease):
        super().renew([claim for claim in claimed if claim.key != self.key], lease)
        if any(claim.key == self.key for claim in claimed):
            self.asked_for_it = True
            raise LeaseLost("another attempt has taken it over")


def keys(number: int) -> list[str]:
    return [record.key for record in records(number)]


class Slow(Target):
    """A system whose answer to the first record is lost, and whose look-up lasts until others have been sent."""

    def __init__(self, ledger: Taken) -> None:
        super().__init__(Short(concurrency=2, timeout=1, horizon=0))
        self.ledger, self.first, self.later = ledger, keys(1)[0], asyncio.Event()

    async def send(self, batch):
        await asyncio.sleep(0.05)
        if self.ledger.asked_for_it:
            self.later.set()
        replies = await super().send(batch)
        if batch[0].key == self.first:
            raise AmbiguousOutcome("connection dropped")
        return replies

    async def find(self, batch):
        await asyncio.wait_for(self.later.wait(), 5)
        return await super().find(batch)


def test_a_record_taken_over_while_it_is_looked_up_stops_nothing():
    with Taken(keys(1)[0]) as ledger:
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


class Sluggish(Ledger):
    """A ledger whose commits take their time; a lease runs from before the commit.

    Args:
        claiming: seconds that the commit of a claim takes.
        renewing: the same of a renewal.
    """

    def __init__(self, claiming: float, renewing: float) -> None:
        super().__init__("sqlite://")
        self.seconds, self.renewals = (claiming, renewing), 0

    def claim(self, system, kind, items, *, owner, lease):
        claimed = super().claim(system, kind, items, owner=owner, lease=lease)
        time.sleep(self.seconds[0])
        return claimed

    def renew(self, claimed, lease):
        super().renew(claimed, lease)
        self.renewals += 1
        time.sleep(self.seconds[1])


def test_a_lease_that_has_run_out_while_it_was_committed_is_prolonged_before_anything_is_sent():
    target = Target(Short(timeout=1, horizon=0))
    with Sluggish(0.3, 0) as ledger:
        report = Exchange(target, ledger).run(records(1))
        assert ledger.renewals == 1
    assert report.counts()["created"] == 1


def test_nothing_is_sent_when_a_lease_takes_longer_to_get_than_it_lasts():
    target = Target(Short(timeout=1, horizon=0))
    with Sluggish(0.3, 0.3) as ledger:
        report = Exchange(target, ledger).run(records(3))
        assert {key[2] for key in ledger.counts()} == {"released"}
    assert target.sent == []
    assert {outcome.code for outcome in report.outcomes} == {"NOT_SENT"}
    with pytest.raises(LedgerError, match="see why its database is slow"):
        report.raise_for_waiting()
