"""The life of a few hundred records in an exchange: claim, look up, send, classify, settle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from pv_testing.core import clock, lease
from pv_testing.core.errors import Action, IntegrationError, LedgerError
from pv_testing.core.fingerprint import idempotency_key
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Outcome, Prepared, Reply, Result, Verdict
from pv_testing.exchange.batches import batches
from pv_testing.exchange.claim_buffer import ClaimBuffer
from pv_testing.exchange.context import ExchangeContext
from pv_testing.exchange.look_up_log import log_look_up
from pv_testing.exchange.next_action import (
    Facts,
    NextAction,
    Purpose,
    after_absence,
    after_error,
    after_look_up,
    after_reply,
    purpose_of,
)
from pv_testing.exchange.one_transaction import sender
from pv_testing.exchange.remedies import MADE_OTHERWISE, SEE_THERE, STALE, TOO_SLOW
from pv_testing.exchange.second_copies import TWICE, SecondCopies
from pv_testing.exchange.work import LookUp, Send, Work
from pv_testing.exchange.worklist import Worklist
from pv_testing.ledger import Claim, Claimed, Decision

ROUNDS = 4
POLL = 0.5
P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class ChunkProcessor:
    """Carries a chunk of prepared records to an outcome each.

    Args:
        shared: what the chunks of the exchange share.
        items: the records, mapped and validated, no key twice.
    """

    def __init__(self, shared: ExchangeContext, items: Sequence[Prepared]) -> None:
        self.shared = shared
        self.operation = shared.operation
        self.items = {item.key: item for item in items}
        self.buffer = ClaimBuffer(shared.ledger, shared.operation, shared.owner)
        self._sender = sender(shared, self.buffer)
        self._in_place = shared.operation.limits.on_change == "update"
        self._may_be_foreign = shared.operation.limits.own_record and shared.operation.limits.on_change != "amend"
        self._waited: dict[str, int] = {}
        self._alone: set[str] = set()
        self._second_copies = SecondCopies(shared.operation)
        self._name = f"{shared.operation.name} on {shared.operation.system}"

    async def run(self) -> list[Outcome]:
        """Bring the records into effect; wait for those that another attempt holds, within the run's patience.

        Returns:
            One outcome a record.

        Raises:
            LedgerError: the ledger can't be read or written.
        """
        if self.shared.replay:
            await self._ledger(self.shared.ledger.release, list(self.items), owner=self.shared.owner, automatic=True)
        give_up = clock.seconds() + self.shared.patience
        busy = await self._attempt(list(self.items.values()))
        overtaken = await self.buffer.overtaken()
        told = False
        while overtaken or (busy and clock.seconds() < give_up):
            if busy and not told:
                seconds = give_up - clock.seconds()
                log.info("%s: another attempt holds %d records; it waits up to %.0f s", self._name, len(busy), seconds)
                told = True
            if busy:
                await self.buffer.commit()  # during a long wait, leases of what was confirmed would end
                await asyncio.sleep(POLL)
            busy = await self._attempt([*busy, *(self.items[key] for key in overtaken)])
            overtaken = await self.buffer.overtaken()
        for item in busy:
            self.buffer.note(
                item.key, Result.DEFERRED, code=Reason.BUSY, reason="another attempt is sending this record"
            )
        await self._look_for_second_copies()
        return await self.buffer.close()

    async def _attempt(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Claim and carry what can be claimed; return what another attempt holds."""
        if self.shared.stopped is not None:
            for item in items:
                self.buffer.note(item.key, Result.DEFERRED, code=Reason.NOT_SENT, reason=self.shared.stopped.message)
            return []
        limits = self.operation.limits
        claims = [Claim(item.key, item.fingerprint) for item in items]
        asked = clock.seconds()
        claimed = await self._ledger(self.shared.ledger.claim, claims, owner=self.shared.owner, lease=limits.lease)
        sort: dict[Decision, list[Claimed]] = {decision: [] for decision in Decision}
        for claim in claimed:
            sort[claim.decision].append(claim)
        for claim in sort[Decision.UNCHANGED]:
            self.buffer.note(claim.key, Result.UNCHANGED, claim.external_id)
            if self.shared.replay:
                self._second_copies.expect([self._take(claim)], sent_twice=False)
        for claim in sort[Decision.WAITING]:
            result = Result.REJECTED if claim.rejected else Result.QUARANTINED
            self.buffer.note(claim.key, result, code=claim.code, reason=f"waits for a person: {claim.reason}")
        self.buffer.hold([*sort[Decision.NEW], *sort[Decision.CHANGED], *sort[Decision.RESOLVE]], asked)
        self._leave_overtaken(sort)
        await self._carry(sort)
        self._waited = {claim.key: claim.revision for claim in sort[Decision.BUSY]}
        return [self.items[claim.key] for claim in sort[Decision.BUSY]]

    def _leave_overtaken(self, sort: dict[Decision, list[Claimed]]) -> None:
        """Send nothing of which another attempt brought a version into effect while this one waited for it.

        Which of the two is the newer one, only the source of the record can say.
        """
        if not self._waited:
            return
        for decision in (Decision.NEW, Decision.CHANGED, Decision.RESOLVE):
            for claim in sort[decision]:
                if claim.revision > self._waited.get(claim.key, claim.revision):
                    self.buffer.leave(self.items[claim.key], Reason.STALE, STALE)
            sort[decision] = [claim for claim in sort[decision] if self.buffer.holds(claim.key)]

    async def _carry(self, sort: dict[Decision, list[Claimed]]) -> None:
        limits = self.operation.limits
        new = [self._take(claim) for claim in sort[Decision.NEW]]
        changed = [self._take(claim) for claim in sort[Decision.CHANGED]]
        unclear = [self._take(claim) for claim in sort[Decision.RESOLVE]]
        if limits.on_change == "ignore":
            for item in changed:
                self.buffer.keep(item)
            changed = []
        if limits.look_first and new:
            new = await self._find(new)
        older = [item for item in unclear if self.buffer.doubts_another(item)]
        same = [item for item in unclear if not self.buffer.doubts_another(item)]
        for purpose, items in ((Purpose.OLDER, older), (Purpose.CLARIFY, same)):
            if items:
                await self._work_off([LookUp(items, ROUNDS, purpose)])
        if new or changed:
            await self._work_off(self._sends([*new, *changed], ROUNDS))

    async def _work_off(self, work: Iterable[Work]) -> None:
        """Do work and all that follows from it, several pieces at a time."""
        await Worklist(work, self._do).run(self.shared.workers)

    def _do(self, work: Work) -> Awaitable[Sequence[Work]]:
        return self._send(work) if isinstance(work, Send) else self._look_up(work)

    def _take(self, claim: Claimed) -> Prepared:
        item = self.items[claim.key]
        item.external_id, item.revision, item.absent = claim.external_id, claim.revision, claim.absent
        if self.operation.limits.stamped:  # for all records at a time it costs a tenth of what it does between requests
            item.idempotency_key = idempotency_key(claim.system, claim.kind, item.key, item.fingerprint, item.revision)
        return item

    def _sends(self, items: Sequence[Prepared], rounds: int, wait: float = 0.0) -> list[Work]:
        """Cut records into the batches that one request each carries."""
        return [Send(batch, rounds, wait) for batch in batches(items, self.operation.limits, frozenset(self._alone))]

    async def _send(self, work: Send) -> Sequence[Work]:
        """Send one batch; return what follows from the system's word on each record."""
        if work.wait:
            await asyncio.sleep(work.wait)
        if self.buffer.expiring():
            await self._renew()
        batch = self.buffer.held(work.batch)
        if self.shared.stopped is not None:
            self.buffer.stopped(batch, self.shared.stopped)
            return ()
        if not batch:
            return ()
        self.buffer.sending(batch)
        attempt = lease.until(self.buffer.deadline())
        try:
            with attempt:
                replies = await self._sender.send(batch)
        except IntegrationError as error:
            if attempt.unsent:
                self.buffer.absent_from_system(batch)
            else:
                self._wrote(batch)
            return self._failed(batch, error, work.rounds)
        unclear, again = self._settle(batch, replies)
        if unclear or again:
            self._wrote([*unclear, *again])
        if self.buffer.due():
            await self.buffer.commit()
        if not unclear and not again:
            return ()
        why = replies[0].reason if len(batch) == 1 else ""
        return [
            *([LookUp(unclear, work.rounds, Purpose.CLARIFY, why=why)] if unclear else ()),
            *(self._repeat(again, replies, work.rounds) if again else ()),
        ]

    def _wrote(self, items: Sequence[Prepared]) -> None:
        """Remember that something of these records was sent: an absence that was seen before says nothing any more."""
        self.buffer.wrote(items)
        for item in items:
            item.absent = False

    async def _renew(self) -> None:
        """Prolong the leases where a request that is sent now may outlive them; without that, nothing may be sent."""
        if self.shared.stopped is not None:
            return
        await self.buffer.renew()
        if self.buffer.expiring():
            self._stop(LedgerError(TOO_SLOW, system=self.operation.system))

    def _settle(self, batch: Sequence[Prepared], replies: Sequence[Reply]) -> tuple[list[Prepared], list[Prepared]]:
        """Settle what the replies decide; return what must be looked up, and what may be sent again."""
        unclear: list[Prepared] = []
        again: list[Prepared] = []
        for item, reply in zip(batch, replies, strict=True):
            action = after_reply(reply)
            if action is NextAction.CONFIRM:
                self.buffer.done(item, reply.external_id or item.external_id, reply.body)
            elif action is NextAction.REFUSE:
                self.buffer.refuse(item, reply.code or Reason.REJECTED, reply.reason)
            else:
                (unclear if action is NextAction.LOOK_UP else again).append(item)
                if reply.code == Reason.BULK_INCOMPLETE:
                    self._alone.add(item.key)
        return unclear, again

    def _repeat(self, items: Sequence[Prepared], replies: Sequence[Reply], rounds: int) -> Sequence[Work]:
        """Have sent again what the system has said it did not take, after the wait that it asks for."""
        if rounds <= 1:
            for item in items:
                self.buffer.not_taken(item, "the system did not take the record after several tries")
            return ()
        refused = [reply for reply in replies if reply.verdict is Verdict.RETRYABLE]
        wait = max((reply.retry_after for reply in refused if reply.retry_after), default=POLL)
        why = next((reply.reason or reply.code for reply in refused), "")
        log.info("%s: %d records are sent again in %.1f s: %s", self._name, len(items), wait, why)
        return self._sends(items, rounds - 1, wait)

    def _failed(self, batch: Sequence[Prepared], error: IntegrationError, rounds: int) -> Sequence[Work]:
        """Act on an error that speaks of a whole batch."""
        limits = self.operation.limits
        action = after_error(error, len(batch), limits)
        if action is NextAction.REFUSE:
            self.buffer.refuse(batch[0], error.code, error.message)
        elif action is NextAction.SPLIT:
            log.info("%s: a batch of %d is refused and sent in two halves: %s", self._name, len(batch), error)
            middle = len(batch) // 2
            return [Send(batch[:middle], rounds), Send(batch[middle:], rounds)]
        elif action is NextAction.LOOK_UP:
            log.warning("%s: %d records are looked up: %s", self._name, len(batch), error)
            return [LookUp(batch, rounds, purpose_of(error, limits), error)]
        else:
            self._stop(error)
            self.buffer.stopped(batch, error)
        return ()

    async def _look_up(self, work: LookUp) -> Sequence[Work]:
        """Find out what became of records; return what follows for those that are not there as they are wanted."""
        missing = await self._find_twice(work.items)
        action = after_absence(work.purpose, work.rounds, work.error)
        if action is NextAction.SEND:
            if not self.operation.limits.absence_certain:
                # What was confirmed and is gone was not sent before: only its id was asked for.
                again = [item for item in missing if item.external_id or item.revision == 1]
                self._second_copies.expect(again, sent_twice=True)
            return self._sends(missing, work.rounds - 1)
        if action is NextAction.STOP and work.error is not None:
            self._stop(work.error)
            self.buffer.stopped(missing, work.error)
        elif action is NextAction.CLAIM:
            self._claim_anew(missing)
        else:
            cause = work.why if work.error is None else work.error.message
            why = cause and f" ({cause})"
            for item in missing:
                reason = f"its fate is still unclear{why}; the next attempt looks it up first"
                self.buffer.defer(item, Reason.AMBIGUOUS, reason)
        return ()

    def _claim_anew(self, items: Sequence[Prepared]) -> None:
        """Settle versions that were overtaken by a change, before the wanted ones are claimed.

        What is changed in place has one content. A look-up for the wanted version can't tell whether that is the one in
        doubt, the one confirmed before or what a person has made of it, so that the wanted one is written again.
        """
        for item in items:
            if self.operation.limits.repeatable or (self._in_place and item.external_id):
                self.buffer.altered(item)
            else:
                self.buffer.absent(item)

    async def _find_twice(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Look up, and once more after the horizon; return what surely isn't there.

        Of what is sent again without a look-up, all is returned and stays in doubt.
        """
        if self.operation.limits.repeatable:
            return self.buffer.held(items)
        missing = await self._find(items)
        if not missing:
            return []
        await asyncio.sleep(self.operation.limits.horizon)
        missing = await self._find(missing)
        self.buffer.absent_from_system(missing)
        for item in missing:
            item.absent = not item.external_id
        return missing

    async def _find(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Settle what a look-up shows to be in effect; return what isn't there, or only in an earlier version."""
        try:
            found = await self.operation.find(items)
        except IntegrationError as error:
            return await self._not_found_out(items, error)
        items = self.buffer.held(items)
        if found is None and self.operation.limits.repeatable:
            return list(items)
        log_look_up(self.operation, items, found)
        if found is None:
            for item in items:
                reason = "the system offers no look-up: see there; confirm it if it took effect, else release it"
                self.buffer.quarantine(item, Reason.NO_LOOKUP, reason)
            return []
        return [item for item in items if not self._settle_found(item, found.get(item.key))]

    async def _not_found_out(self, items: Sequence[Prepared], error: IntegrationError) -> list[Prepared]:
        """Act on a look-up that failed; one that is refused concerns single records, which wait in doubt."""
        refused = error.action in {Action.REJECT, Action.QUARANTINE}
        if refused and len(items) > 1:
            middle = len(items) // 2
            return [*await self._find(items[:middle]), *await self._find(items[middle:])]
        if refused:
            self.buffer.quarantine(
                items[0], Reason.LOOKUP_REFUSED, f"its look-up is refused: {error.message}; {SEE_THERE}"
            )
            return []
        self._stop(error)
        for item in items:
            self.buffer.untold(item, f"it could not be looked up: {error.message}")
        return []

    def _stop(self, error: IntegrationError) -> None:
        """Let no chunk of the exchange send anything more."""
        if self.shared.stopped is None:
            self.shared.stopped = error
            log.warning("%s: nothing more is sent: %s", self._name, error)

    def _settle_found(self, item: Prepared, found: Found | None) -> bool:
        """Settle a record that a look-up shows as wanted, or so that no other request may follow."""
        action = after_look_up(found, self._facts(item))
        if found is None:
            return False
        if action is NextAction.DEFER:
            self.buffer.defer(item, found.code, found.unclear)
        elif action is NextAction.WAIT and found.copies > 1:
            self.buffer.quarantine(item, Reason.DUPLICATE_IN_SYSTEM, TWICE.format(found.copies))
        elif action is NextAction.WAIT:
            self.buffer.quarantine(item, Reason.CONTENT_DIFFERS, MADE_OTHERWISE.format(found.external_id))
        else:
            item.external_id = found.external_id
            if action is NextAction.ADOPT:
                self.buffer.adopt(item, found.body)
        return action is not NextAction.LOOK_UP

    def _facts(self, item: Prepared) -> Facts:
        return Facts(
            first_version=not item.external_id and item.revision == 1,
            has_id=bool(item.external_id),
            doubts_another=self.buffer.doubts_another(item),
            may_be_foreign=self._may_be_foreign,
            in_place=self._in_place,
        )

    async def _look_for_second_copies(self) -> None:
        """Have records that the system holds twice wait for a person, whatever the ledger holds of them."""
        disputed = await self.buffer.disputed()
        if disputed:
            log.warning("%s: %d records may be there twice and are looked up", self._name, len(disputed))
        self._second_copies.expect([self.items[key] for key in disputed], sent_twice=True)
        refusals = await self._second_copies.found()
        if refusals:
            await self._ledger(self.shared.ledger.suspect, refusals, owner=self.shared.owner)
        self.buffer.note_suspects(refusals, disputed)

    async def _ledger(self, call: Callable[Concatenate[str, str, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(call, self.operation.system, self.operation.kind, *args, **kwargs)
