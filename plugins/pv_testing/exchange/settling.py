"""Outcomes on their way into the ledger: gathered, committed in groups, and only while the lease holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.errors import IntegrationError, LeaseLost
from pv_testing.exchange.operation import Operation
from pv_testing.exchange.types import Outcome, Prepared, Result
from pv_testing.ledger import Claimed, Ledger, Settlement
from pv_testing.ledger.rows import ID_UNUSABLE, id_problem

GROUP_SECONDS = 1.0
RENEWALS = 3
LOST = "another attempt has taken the record over and will settle it"


class Settling:
    """Keeps the claims of a chunk and settles them, many in one transaction.

    Args:
        ledger: where they are settled.
        operation: what is being done; its limits give the lease.
        owner: who acts.
    """

    def __init__(self, ledger: Ledger, operation: Operation, owner: str) -> None:
        self._ledger = ledger
        self._limits = operation.limits
        self._owner = owner
        self._held: dict[str, Claimed] = {}
        self._group: list[tuple[Settlement, Outcome | None]] = []
        self._outcomes: list[Outcome] = []
        self._overtaken: list[str] = []
        self._committed = time.monotonic()
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    def hold(self, claims: Sequence[Claimed], asked: float) -> None:
        """Take over claims that this chunk has won.

        Args:
            claims: what the ledger has given.
            asked: ``time.monotonic()`` before it was asked, as a lease runs from before its commit.
        """
        self._held.update((claim.key, claim) for claim in claims)
        self._renew_at = self._renewal(asked)

    def _renewal(self, asked: float) -> float:
        return asked + self._limits.lease - self._limits.timeout - self._limits.horizon

    def held(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Leave out what is no longer ours, because a renewal has shown that another attempt has taken it over."""
        return [item for item in items if item.key in self._held]

    def expiring(self) -> bool:
        """Whether the lease may end before a request that is sent now does."""
        return time.monotonic() >= self._renew_at

    async def renew(self) -> None:
        """Make the leases outlive a request about to be sent, and let go of what is no longer ours.

        Where the ledger takes too long each time, they are still :meth:`expiring` in the end.
        """
        async with self._lock:
            for _ in range(RENEWALS):
                if not self.expiring():
                    return
                await self._renew_all()

    async def _renew_all(self) -> None:
        claims = list(self._held.values())
        asked = time.monotonic()
        try:
            await asyncio.to_thread(self._ledger.renew, claims, self._limits.lease)
        except LeaseLost:
            for claim in claims:
                if claim.key in self._held:
                    await self._renew_one(claim)
        self._renew_at = self._renewal(asked)

    async def _renew_one(self, claim: Claimed) -> None:
        try:
            await asyncio.to_thread(self._ledger.renew, [claim], self._limits.lease)
        except LeaseLost:
            if self._held.pop(claim.key, None) is not None:
                self.note(claim.key, Result.DEFERRED, code="LEASE_LOST", reason=LOST)

    def note(
        self,
        key: str,
        result: Result,
        external_id: str = "",
        *,
        code: str = "",
        reason: str = "",
    ) -> None:
        """Take an outcome that changes nothing in the ledger."""
        self._outcomes.append(Outcome(key, result, external_id, code, reason))

    def done(self, item: Prepared, external_id: str, body: Mapping[str, Any]) -> None:
        """The system has confirmed the record."""
        result = Result.UPDATED if item.revision > 1 or item.external_id else Result.CREATED
        self._settle(item, result, external_id, body=body)

    def doubts_another(self, item: Prepared) -> bool:
        """Whether an attempt before may have sent another version of the record than the one wanted now."""
        return self._held[item.key].doubtful not in {"", item.fingerprint}

    def adopt(self, item: Prepared, body: Mapping[str, Any]) -> None:
        """A look-up has shown that the record is in effect; where that is another version, there is no outcome yet."""
        if self.doubts_another(item):
            claim = self._held.pop(item.key)
            self._group.append((Settlement(claim, Result.ADOPTED, item.external_id), None))
            self._overtaken.append(item.key)
        else:
            self._settle(item, Result.ADOPTED, item.external_id, body=body)

    def absent(self, item: Prepared) -> None:
        """A look-up has shown that no version in doubt is in effect; the record must be claimed once more."""
        claim = self._held.pop(item.key)
        self._group.append((Settlement(claim, Result.DEFERRED, code="ABSENT"), None))
        self._overtaken.append(item.key)

    def altered(self, item: Prepared) -> None:
        """A look-up has shown the record in another version than the one wanted; it must be claimed once more."""
        claim = self._held.pop(item.key)
        self._group.append((Settlement(claim, Result.DEFERRED, item.external_id, "ALTERED"), None))
        self._overtaken.append(item.key)

    async def overtaken(self) -> list[str]:
        """Return the records of which only an earlier version is settled, once that is committed."""
        keys, self._overtaken = self._overtaken, []
        if keys:
            await self.commit()
        return keys

    def refuse(self, item: Prepared, code: str, reason: str) -> None:
        """The system refuses the record."""
        self._settle(item, Result.REJECTED, item.external_id, code=code, reason=reason)

    def quarantine(self, item: Prepared, code: str, reason: str) -> None:
        """Only a person can tell what is to be done."""
        self._settle(item, Result.QUARANTINED, item.external_id, code=code, reason=reason)

    def defer(self, item: Prepared, code: str, reason: str) -> None:
        """Another attempt must go on: from where it was with ``NOT_SENT``, with a look-up otherwise."""
        self._settle(item, Result.DEFERRED, item.external_id, code=code, reason=reason)

    def keep(self, item: Prepared) -> None:
        """The record has changed, but the contract says that the system keeps what it has."""
        claim = self._held.pop(item.key)
        outcome = Outcome(item.key, Result.UNCHANGED, claim.external_id)
        self._group.append((Settlement(claim, Result.UNCHANGED), outcome))

    def not_sent(self, batch: Sequence[Prepared], error: IntegrationError) -> None:
        """Nothing of the batch took effect, and nothing more is sent."""
        for item in batch:
            self.defer(item, "NOT_SENT", error.message)

    def stopped(self, batch: Sequence[Prepared], error: IntegrationError) -> None:
        """An error has ended the exchange, in the midst of the batch where that is more than one request.

        What may be repeated may have taken effect, which does no harm: the next attempt sends it whatever it is.
        """
        code = "ALTERED" if self._limits.repeatable else "AMBIGUOUS" if self._limits.stepped else "NOT_SENT"
        for item in batch:
            self.defer(item, code, error.message)

    def _settle(
        self,
        item: Prepared,
        result: Result,
        external_id: str,
        *,
        code: str = "",
        reason: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> None:
        claim = self._held.pop(item.key, None)
        problem = id_problem(external_id)
        if problem:
            external_id = ""
            if result.in_effect:
                result, code, reason = Result.QUARANTINED, ID_UNUSABLE, problem
        if claim is not None:
            outcome = Outcome(item.key, result, external_id, code, reason, body or {})
            self._group.append((Settlement(claim, result, external_id, code, reason), outcome))

    def due(self) -> bool:
        """Whether the group has waited long enough to be committed."""
        return time.monotonic() - self._committed > GROUP_SECONDS

    async def commit(self) -> None:
        """Settle the group in one transaction; what another attempt has taken over meanwhile is deferred to it."""
        if not self._group:
            return
        group, self._group = self._group, []
        self._committed = time.monotonic()
        fenced = set(await asyncio.to_thread(self._ledger.settle, [s for s, _ in group], owner=self._owner))
        for settlement, outcome in group:
            key = settlement.claimed.key
            if key in fenced:
                self.note(key, Result.DEFERRED, code="LEASE_LOST", reason=LOST)
            elif outcome is not None:
                self._outcomes.append(outcome)

    async def close(self) -> list[Outcome]:
        """Commit what is left and return every outcome."""
        await self.commit()
        return self._outcomes
