"""Outcomes on their way into the ledger: gathered, committed in groups, and only while the lease holds."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core import clock
from pv_testing.core.errors import IntegrationError, LeaseLost
from pv_testing.core.reasons import Reason
from pv_testing.core.records import NOTHING, Outcome, Prepared, Result
from pv_testing.core.visible import visible
from pv_testing.exchange.operation import Operation
from pv_testing.ledger import Claimed, Decision, Ledger, Refusal, Settlement

GROUP_SECONDS = 1.0
RENEWALS = 3
SHOWN_ID = 100
ID_TAKEN = (
    "the system gave it the id {0}, which is that of {1}: see there which record has which id, correct the wrong one, "
    "then release it"
)
LOST = "another attempt has taken the record over and will settle it"

Grouped = tuple[Settlement, Outcome | None]
Confirmed = tuple[Claimed, Prepared, str, Mapping[str, Any]]

log = logging.getLogger(__name__)


class ClaimBuffer:
    """Keeps the claims of a chunk and settles them, many in one transaction.

    Args:
        ledger: where they are settled.
        operation: the provider's operation; its limits give the lease.
        owner: who acts.
    """

    def __init__(self, ledger: Ledger, operation: Operation, owner: str) -> None:
        self._ledger = ledger
        self._limits = operation.limits
        self._owner = owner
        self._kind = (operation.system, operation.kind)
        self._held: dict[str, Claimed] = {}
        self._confirmed: list[Confirmed] = []
        self._group: list[Grouped] = []
        self._outcomes: list[Outcome] = []
        self._overtaken: list[str] = []
        self._sent: set[str] = set()
        self._wrote: set[str] = set()
        self._disputed: list[str] = []
        self._given_twice: set[str] = set()
        self._with_write: set[tuple[str, int]] = set()
        self._committed = clock.seconds()
        self._renew_at = -math.inf
        self._lock = asyncio.Lock()

    def hold(self, claims: Sequence[Claimed], asked: float) -> None:
        """Take over claims that this chunk has won.

        Args:
            claims: what the ledger has given.
            asked: ``clock.seconds()`` before it was asked, as a lease runs from before its commit.
        """
        self._held.update((claim.key, claim) for claim in claims)
        self._renew_at = self._renewal(asked)

    def _renewal(self, asked: float) -> float:
        return asked + self._limits.lease - self._limits.timeout - self._limits.horizon

    def held(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Leave out records that another attempt has taken over, as a renewal has shown."""
        return [item for item in items if item.key in self._held]

    def deadline(self) -> float:
        """Return until when a request may be written, by the clock of leases; later ones could outlive the lease."""
        return self._renew_at + self._limits.timeout

    def expiring(self) -> bool:
        """Whether the lease may end before a request that is sent now does."""
        return clock.seconds() >= self._renew_at

    def sending(self, items: Sequence[Prepared]) -> None:
        """Remember that these records are about to be sent, and may be in the system from now on."""
        self._sent.update([item.key for item in items])

    def wrote(self, items: Sequence[Prepared]) -> None:
        """Remember that something of these records was sent, whatever a look-up shows afterwards."""
        self._wrote.update(item.key for item in items)

    def absent_from_system(self, items: Sequence[Prepared]) -> None:
        """Remember that what was sent of these records has surely not taken effect."""
        self._sent.difference_update(item.key for item in items)

    async def renew(self) -> None:
        """Make the leases outlive a request about to be sent; let go of records that another attempt has taken over.

        Where the ledger takes too long each time, they are still :meth:`expiring` in the end.
        """
        async with self._lock:
            for _ in range(RENEWALS):
                if not self.expiring():
                    return
                await self._renew_all()

    async def _renew_all(self) -> None:
        claims = list(self._held.values())
        log.info("the leases of %d records are renewed, for %.0f s", len(claims), self._limits.lease)
        asked = clock.seconds()
        try:
            await asyncio.to_thread(self._ledger.renew, claims, self._limits.lease)
        except LeaseLost as error:
            log.warning("not every lease could be renewed: %s", error)
            for claim in claims:
                if claim.key in self._held:
                    await self._renew_one(claim)
        self._renew_at = self._renewal(asked)

    async def _renew_one(self, claim: Claimed) -> None:
        try:
            await asyncio.to_thread(self._ledger.renew, [claim], self._limits.lease)
        except LeaseLost:
            if self._held.pop(claim.key, None) is not None:
                self._let_go(claim)

    def _let_go(self, claim: Claimed) -> None:
        """Leave a record to the attempt that has taken it over; of what was sent of it, the ledger must know."""
        outcome = Outcome(claim.key, Result.DEFERRED, code=Reason.LEASE_LOST, reason=LOST)
        log.warning("%s: its lease is lost; %s", visible(claim.key), LOST)
        if claim.key in self._sent:
            self._gather(self._settlement(claim, Result.DEFERRED, code=Reason.LEASE_LOST, reason=LOST), outcome)
        else:
            self._outcomes.append(outcome)

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
        claim = self._held.pop(item.key, None)
        if claim is not None:
            self._confirmed.append((claim, item, external_id, body))

    def _gather_confirmed(self) -> None:
        """Add what the system has confirmed to the group; all at a time cost less than one by one between requests."""
        confirmed, self._confirmed = self._confirmed, []
        for claim, item, external_id, body in confirmed:
            sent = claim.key in self._sent
            one = Settlement(claim, self._effect(claim, item), external_id, "", "", sent, item.data).storable()
            self._group.append((one, _outcome(one, body)))

    def _gather(self, settlement: Settlement, outcome: Outcome | None) -> None:
        """Add to the group; of two records with one id, the first in it keeps that, so that the order must hold."""
        self._gather_confirmed()
        self._group.append((settlement, outcome))

    def _effect(self, claim: Claimed, item: Prepared) -> Result:
        """Return what has become of a record in effect; a try before, even of another attempt, may have made it."""
        begun = item.key in self._wrote or claim.decision is Decision.RESOLVE
        there = bool(item.external_id) and not begun
        changed = item.revision > 1 or there or self._limits.changes
        return Result.UPDATED if changed else Result.CREATED

    def claim_of(self, item: Prepared) -> Claimed | None:
        """Return the claim of a record, where it is still held here."""
        return self._held.get(item.key)

    def confirmation(self, item: Prepared, external_id: str) -> Settlement:
        """Return what settles a record in the transaction of its write.

        Raises:
            LeaseLost: it isn't held here any more.
        """
        claim = self._held.get(item.key)
        if claim is None:
            raise LeaseLost(f"{item.key}: {LOST}")
        return Settlement(claim, self._effect(claim, item), external_id, sent=True)

    def settles_with_write(self, settlements: Sequence[Settlement]) -> None:
        """Remember what its write settles, so that only its outcome is noted later."""
        self._with_write.update((one.claimed.key, one.claimed.token) for one in settlements)

    def settles_without_write(self, items: Sequence[Prepared]) -> None:
        """Forget that, because the write was rolled back or it is unknown what became of it."""
        keys = {item.key for item in items}
        self._with_write = {each for each in self._with_write if each[0] not in keys}

    def doubts_another(self, item: Prepared) -> bool:
        """Whether an attempt before may have sent another version of the record than the one wanted now."""
        return self._held[item.key].unresolved_fingerprint not in {"", item.fingerprint}

    def adopt(self, item: Prepared, body: Mapping[str, Any]) -> None:
        """A look-up has shown that the record is in effect; where that is another version, there is no outcome yet."""
        if self.doubts_another(item):
            claim = self._held.pop(item.key)
            self._later(claim, Result.ADOPTED, item.external_id)
        else:
            self._settle(item, Result.ADOPTED, item.external_id, body=body)

    def absent(self, item: Prepared) -> None:
        """A look-up has shown that no version in doubt is in effect; the record must be claimed once more."""
        self._later(self._held.pop(item.key), Result.DEFERRED, code=Reason.ABSENT)

    def altered(self, item: Prepared) -> None:
        """A look-up has shown the record in another version than the one wanted; it must be claimed once more."""
        self._later(self._held.pop(item.key), Result.DEFERRED, item.external_id, Reason.ALTERED)

    def _later(self, claim: Claimed, result: Result, external_id: str = "", code: str = "") -> None:
        """Settle an earlier version; the record has no outcome yet and is claimed once more."""
        self._gather(self._settlement(claim, result, external_id, code), None)
        self._overtaken.append(claim.key)

    async def overtaken(self) -> list[str]:
        """Return the records of which only an earlier version is settled, once that is committed."""
        if self._overtaken or self._limits.needs_id:
            await self.commit()
        keys, self._overtaken = self._overtaken, []
        return list(dict.fromkeys(keys))

    def refuse(self, item: Prepared, code: str, reason: str) -> None:
        """The system refuses the record; without a look-up, an earlier try may have taken effect."""
        overwritten = self._limits.repeatable
        self._settle(item, Result.REJECTED, item.external_id, code=code, reason=reason, overwritten=overwritten)

    def quarantine(self, item: Prepared, code: str, reason: str) -> None:
        """Only a person can decide how the record goes on."""
        self._settle(item, Result.QUARANTINED, item.external_id, code=code, reason=reason)

    def defer(self, item: Prepared, code: str, reason: str) -> None:
        """Another attempt must go on: from where it was with ``NOT_SENT``, with a look-up otherwise."""
        self._settle(item, Result.DEFERRED, item.external_id, code=code, reason=reason)

    def holds(self, key: str) -> bool:
        """Whether the record is claimed by this chunk and not settled yet."""
        return key in self._held

    def leave(self, item: Prepared, code: str, reason: str) -> None:
        """Put the record back to what it was before the claim, unsent, for the next attempt."""
        claim = self._held.pop(item.key)
        outcome = Outcome(item.key, Result.DEFERRED, item.external_id, code, reason)
        self._gather(self._settlement(claim, Result.DEFERRED, code=Reason.NOT_SENT, reason=reason), outcome)

    def keep(self, item: Prepared) -> None:
        """The record has changed, but the contract says that the system keeps what it has."""
        claim = self._held.pop(item.key)
        outcome = Outcome(item.key, Result.UNCHANGED, claim.external_id)
        self._gather(self._settlement(claim, Result.UNCHANGED), outcome)

    def stopped(self, batch: Sequence[Prepared], error: IntegrationError) -> None:
        """An error has ended the exchange, in the midst of the batch where that is more than one request."""
        for item in batch:
            self.not_taken(item, error.message)

    def not_taken(self, item: Prepared, reason: str) -> None:
        """The last request for the record had no effect; an earlier one may have had some.

        What may be repeated may have taken effect, which does no harm: the next attempt sends it whatever it is.
        """
        code = Reason.NOT_SENT
        if item.key in self._wrote and self._limits.repeatable:
            code = Reason.ALTERED
        elif item.key in self._wrote and self._limits.stepped:
            code = Reason.AMBIGUOUS
        self.defer(item, code, reason)

    def untold(self, item: Prepared, reason: str) -> None:
        """No look-up tells of the record: it is in doubt, unless nothing of it was sent, now or before."""
        claim = self._held.get(item.key)
        sent = item.key in self._sent or claim is None or claim.decision is Decision.RESOLVE
        self.defer(item, Reason.AMBIGUOUS if sent else Reason.NOT_SENT, reason)

    def _settle(
        self,
        item: Prepared,
        result: Result,
        external_id: str,
        *,
        code: str = "",
        reason: str = "",
        body: Mapping[str, Any] = NOTHING,
        overwritten: bool = False,
    ) -> None:
        claim = self._held.pop(item.key, None)
        if claim is not None:
            sent = claim.key in self._sent
            one = Settlement(claim, result, external_id, code, reason, sent, item.data, overwritten).storable()
            self._gather(one, _outcome(one, body))

    def _settlement(
        self, claim: Claimed, result: Result, external_id: str = "", code: str = "", reason: str = ""
    ) -> Settlement:
        return Settlement(claim, result, external_id, code, reason, claim.key in self._sent)

    def due(self) -> bool:
        """Whether the group has waited long enough to be committed."""
        return clock.seconds() - self._committed > GROUP_SECONDS

    async def commit(self) -> None:
        """Settle the group in one transaction.

        What another attempt has taken over meanwhile is deferred to it; what was sent of that is disputed. The ledger
        must then confirm every other lease before anything more is sent: this process may have stood still.
        """
        self._gather_confirmed()
        if not self._group:
            return
        group, self._group = self._group, []
        self._committed = clock.seconds()
        if self._limits.needs_id:
            group = await self._without_taken_ids(group)
        left = [one for one, _ in group if (one.claimed.key, one.claimed.token) not in self._with_write]
        fenced = set(await asyncio.to_thread(self._ledger.settle, left, owner=self._owner))
        if fenced:
            self._renew_at = -math.inf
            log.warning("%d records were settled by another attempt; leases are asked for again", len(fenced))
        for settlement, outcome in group:
            key = settlement.claimed.key
            if key in fenced and settlement.sent:
                self._disputed.append(key)
            elif key in fenced:
                self.note(key, Result.DEFERRED, code=Reason.LEASE_LOST, reason=LOST)
            elif outcome is not None:
                self._outcomes.append(outcome)

    async def _without_taken_ids(self, group: Sequence[Grouped]) -> list[Grouped]:
        """Take no id that another key holds: a later change of this record would overwrite the other one.

        Such a record is in doubt, and is looked up; where the look-up gives the same id, a person must see.
        """
        new_ids = [(one.claimed.key, one.external_id) for one, _ in group if _has_new_id(one)]
        if not new_ids:
            return list(group)
        system, kind = self._kind
        asked = [external_id for _, external_id in new_ids]
        holders = await asyncio.to_thread(self._ledger.find_by_external_id, system, kind, asked)
        if not holders and len(set(asked)) == len(asked):
            return list(group)
        checked: list[Grouped] = []
        for settlement, outcome in group:
            key = settlement.claimed.key
            holder = holders.setdefault(settlement.external_id, key) if _has_new_id(settlement) else key
            checked.append((settlement, outcome) if holder == key else self._taken(settlement, outcome, holder))
        return checked

    def _taken(self, settlement: Settlement, outcome: Outcome | None, holder: str) -> Grouped:
        key = settlement.claimed.key
        reason = ID_TAKEN.format(settlement.external_id[:SHOWN_ID], holder)
        log.warning("%s: %s", key, reason)
        refused = settlement._replace(external_id="", code=Reason.ID_TAKEN, reason=reason)
        if key not in self._given_twice:
            self._given_twice.add(key)
            self._overtaken.append(key)
            return refused._replace(result=Result.DEFERRED), None
        waits = Outcome(key, Result.QUARANTINED, "", Reason.ID_TAKEN, reason)
        return refused._replace(result=Result.QUARANTINED), None if outcome is None else waits

    async def disputed(self) -> list[str]:
        """Commit the rest; return the records that were sent although another attempt had taken them over."""
        await self.commit()
        keys, self._disputed = self._disputed, []
        return keys

    def note_suspects(self, refusals: Sequence[Refusal], disputed: Sequence[str]) -> None:
        """Take the outcomes of records that wait because of a second copy, and of disputed ones that have none."""
        refused = {refusal.key: refusal for refusal in refusals}
        self._outcomes = [outcome for outcome in self._outcomes if outcome.key not in refused]
        for key, refusal in refused.items():
            self.note(key, Result.QUARANTINED, code=refusal.code, reason=refusal.reason)
        settled = {outcome.key for outcome in self._outcomes if outcome.result.in_effect}
        for key in disputed:
            if key not in refused and key not in settled:
                self.note(key, Result.DEFERRED, code=Reason.LEASE_LOST, reason=LOST)

    async def close(self) -> list[Outcome]:
        """Commit the rest and return the last outcome of each record."""
        await self.commit()
        return list({outcome.key: outcome for outcome in self._outcomes}.values())


def _has_new_id(settlement: Settlement) -> bool:
    """Whether the record took effect under an id that the ledger doesn't have for it yet."""
    return settlement.result.in_effect and settlement.external_id not in {"", settlement.claimed.external_id}


def _outcome(one: Settlement, body: Mapping[str, Any]) -> Outcome:
    return Outcome(one.claimed.key, one.result, one.external_id, one.code, one.reason, body or {})
