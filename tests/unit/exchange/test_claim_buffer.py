"""Shows that leases are prolonged while other records of the chunk are being settled."""

from __future__ import annotations

import asyncio
import threading

from pv_testing.core.records import Prepared, Result
from pv_testing.exchange.claim_buffer import ClaimBuffer
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Claim, Ledger
from tests.unit.exchange.target import Target


class Ended(OperationLimits):
    """Limits whose leases are over at once."""

    lease = property(lambda _: 0.0)  # type: ignore[assignment]


class Slow(Ledger):
    """A ledger whose renewals wait for their turn, as behind another writer."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self.begun, self.turn = threading.Event(), threading.Event()

    def renew(self, claimed, lease):
        self.begun.set()
        assert self.turn.wait(5)
        super().renew(claimed, lease)


def test_a_record_settled_while_leases_are_prolonged_is_no_lost_one():
    async def settle_meanwhile(ledger):
        buffer = ClaimBuffer(ledger, Target(Ended()), "first")
        items = [Prepared(key, {}, "f") for key in ("taken over", "settled", "held")]
        buffer.hold(ledger.claim("lims", "sample", [Claim(item.key, "f") for item in items], owner="", lease=0), 0.0)
        ledger.claim("lims", "sample", [Claim("taken over", "f")], owner="second", lease=60)
        renewing = asyncio.create_task(buffer.renew())
        await asyncio.to_thread(ledger.begun.wait, 5)
        buffer.done(items[1], "T-1", {})
        await buffer.commit()
        ledger.turn.set()
        await renewing
        return [item.key for item in buffer.held(items)], await buffer.close()

    with Slow() as ledger:
        left, outcomes = asyncio.run(settle_meanwhile(ledger))
    assert left == ["held"]
    assert {outcome.key: (outcome.result, outcome.code) for outcome in outcomes} == {
        "settled": (Result.CREATED, ""),
        "taken over": (Result.DEFERRED, "LEASE_LOST"),
    }
