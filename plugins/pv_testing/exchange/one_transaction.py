"""Write and settlement in one transaction, where the ledger is in the database that is written to.

What that buys: a record is in effect exactly when the ledger says so. A worker that is killed leaves both or neither.
An attempt whose lease was taken over can't write any more, however long it stood still, because its settlement is
refused before the commit. A connection lost at the commit leaves nothing to be looked up in the system: the ledger
itself is asked, behind its write lock, for which that transaction must have ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from pv_testing.core import settling
from pv_testing.core.errors import AmbiguousOutcome, LeaseLost
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.exchange.claim_buffer import ClaimBuffer
from pv_testing.exchange.context import ExchangeContext
from pv_testing.ledger import State

UNDONE = "the transaction was rolled back; nothing was written"

log = logging.getLogger(__name__)


class BatchSender(Protocol):
    """Sends a batch."""

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Send a batch and return one reply a record, in the same order."""


def sender(shared: ExchangeContext, buffer: ClaimBuffer) -> BatchSender:
    """Return what sends the batches of a chunk: the operation by itself, or together with the ledger."""
    return OneTransaction(shared, buffer) if shared.operation.limits.one_transaction else shared.operation


class OneTransaction:
    """Sends batches, each in one transaction with its settlement.

    Args:
        shared: operation, ledger and owner.
        buffer: the claims of the chunk.
    """

    def __init__(self, shared: ExchangeContext, buffer: ClaimBuffer) -> None:
        self._operation = shared.operation
        self._ledger = shared.ledger
        self._owner = shared.owner
        self._buffer = buffer

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Write a batch and settle what takes effect, or do neither."""
        token = settling.settle.set(self._settle)
        try:
            return await self._operation.send(batch)
        except BaseException as error:
            self._buffer.settles_without_write(batch)
            if not isinstance(error, (AmbiguousOutcome, LeaseLost)):
                raise
            log.warning("%s: the ledger is asked about %d records: %s", self._operation.name, len(batch), error)
            return [await self._asked(item, error.message) for item in batch]
        finally:
            settling.settle.reset(token)

    def _settle(self, connection: Any, items: Sequence[Prepared], replies: Sequence[Reply]) -> None:
        """Settle, right before the commit, what then is in effect; runs in the thread of the write."""
        ok = [(item, reply) for item, reply in zip(items, replies, strict=True) if reply.verdict is Verdict.OK]
        settlements = [self._buffer.confirmation(item, reply.external_id or item.external_id) for item, reply in ok]
        refused = self._ledger.settle_within(connection, settlements, owner=self._owner)
        if refused:
            raise LeaseLost(f"another attempt has taken over {refused[0]}; {UNDONE}", system=self._operation.system)
        self._buffer.settles_with_write(settlements)

    async def _asked(self, item: Prepared, why: str) -> Reply:
        """Return what the ledger knows of a record whose write has no answer: it was written where it is settled."""
        claim = self._buffer.claim_of(item)
        lease = self._operation.limits.lease
        place = (self._operation.system, self._operation.kind)
        if claim is None:
            return Reply(Verdict.AMBIGUOUS, reason=why)
        try:
            await asyncio.to_thread(partial(self._ledger.renew, [claim], lease))
        except LeaseLost:
            entry = (await asyncio.to_thread(self._ledger.states, *place, [item.key])).get(item.key)
            if entry is not None and entry.state is State.CONFIRMED and entry.fingerprint == item.fingerprint:
                self._buffer.settles_with_write([self._buffer.confirmation(item, entry.external_id)])
                return Reply(Verdict.OK, entry.external_id)
            return Reply(Verdict.AMBIGUOUS, reason=why)
        return Reply(Verdict.RETRYABLE, reason=f"{why}; {UNDONE}", code=Reason.ROLLED_BACK)
