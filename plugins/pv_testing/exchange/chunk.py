"""The life of a few hundred records in an exchange: claim, look up, send, classify, settle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from pv_testing import clock, lease
from pv_testing.errors import (
    Action,
    AuthenticationError,
    ConfigError,
    IntegrationError,
    LedgerError,
    NetworkError,
    RateLimited,
    SecurityError,
)
from pv_testing.exchange.batches import batches
from pv_testing.exchange.operation import Operation
from pv_testing.exchange.second_copies import TWICE, SecondCopies
from pv_testing.exchange.settling import Settling
from pv_testing.exchange.together import together
from pv_testing.exchange.types import BULK_INCOMPLETE, Found, Outcome, Prepared, Reply, Result, Verdict
from pv_testing.ledger import Claim, Claimed, Decision, Ledger
from pv_testing.ledger.rules import CONTENT_DIFFERS

ROUNDS = 4
POLL = 0.5
TOO_SLOW = (
    "the ledger takes longer to give a lease than may pass before a request; nothing more is sent: see why its "
    "database is slow, or raise limits.total_timeout in the contract"
)
STALE = (
    "another attempt brought a different version into effect while this one waited; the next try reads the record anew"
)
MADE_OTHERWISE = (
    "the system holds a record with this key, {0}, whose content is not what is sent, and which nothing shows to be "
    "ours: correct or remove it there, then release this one; or confirm it as it is"
)
SEE_THERE = "look in the system: confirm the record if it took effect, else release it with --absent"
# Of a request that must not be repeated, the transports raise these only before it is sent, or on the system's own word
# that nothing was done. Of everything else, such as an answer that can't be read, only a look-up can tell.
NOTHING_DONE = (AuthenticationError, ConfigError, NetworkError, RateLimited, SecurityError)

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Run:
    """What the chunks of one exchange share.

    Args:
        operation: what is done.
        ledger: where it is kept.
        owner: who acts.
        replay: whether records that wait for a person are tried again.
        patience: seconds to wait for records that another attempt holds.
        width: how many chunks are carried at a time.

    Attributes:
        workers: how many batches a chunk may send at a time.
        stopped: what made the exchange stop before its end; no chunk sends anything from then on.
    """

    def __init__(
        self, operation: Operation, ledger: Ledger, *, owner: str, replay: bool, patience: float, width: int
    ) -> None:
        self.operation = operation
        self.ledger = ledger
        self.owner = owner
        self.replay = replay
        self.patience = patience
        self.workers = max(1, operation.limits.concurrency // width)
        self.stopped: IntegrationError | None = None


class Chunk:
    """Carries a chunk of prepared records to an outcome each.

    Args:
        shared: what the chunks of the exchange share.
        items: the records, mapped and validated, no key twice.
    """

    def __init__(self, shared: Run, items: Sequence[Prepared]) -> None:
        self.shared = shared
        self.operation = shared.operation
        self.items = {item.key: item for item in items}
        self.settling = Settling(shared.ledger, shared.operation, shared.owner)
        self._in_place = shared.operation.limits.on_change == "update"
        self._may_be_foreign = shared.operation.limits.own_record and shared.operation.limits.on_change != "amend"
        self._waited: dict[str, int] = {}
        self._alone: set[str] = set()
        self._second_copies = SecondCopies(shared.operation)

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
        overtaken = await self.settling.overtaken()
        while overtaken or (busy and clock.seconds() < give_up):
            if busy:
                await asyncio.sleep(POLL)
            busy = await self._attempt([*busy, *(self.items[key] for key in overtaken)])
            overtaken = await self.settling.overtaken()
        for item in busy:
            self.settling.note(item.key, Result.DEFERRED, code="BUSY", reason="another attempt is sending this record")
        await self._look_for_second_copies()
        return await self.settling.close()

    async def _attempt(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Claim and carry what can be claimed; return what another attempt holds."""
        if self.shared.stopped is not None:
            for item in items:
                self.settling.note(item.key, Result.DEFERRED, code="NOT_SENT", reason=self.shared.stopped.message)
            return []
        limits = self.operation.limits
        claims = [Claim(item.key, item.fingerprint) for item in items]
        asked = clock.seconds()
        claimed = await self._ledger(self.shared.ledger.claim, claims, owner=self.shared.owner, lease=limits.lease)
        sort: dict[Decision, list[Claimed]] = {decision: [] for decision in Decision}
        for claim in claimed:
            sort[claim.decision].append(claim)
        for claim in sort[Decision.UNCHANGED]:
            self.settling.note(claim.key, Result.UNCHANGED, claim.external_id)
            if self.shared.replay:
                self._second_copies.expect([self._take(claim)], sent_twice=False)
        for claim in sort[Decision.WAITING]:
            result = Result.REJECTED if claim.rejected else Result.QUARANTINED
            self.settling.note(claim.key, result, code=claim.code, reason=f"waits for a person: {claim.reason}")
        self.settling.hold([*sort[Decision.NEW], *sort[Decision.CHANGED], *sort[Decision.RESOLVE]], asked)
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
                    self.settling.leave(self.items[claim.key], "STALE", STALE)
            sort[decision] = [claim for claim in sort[decision] if self.settling.holds(claim.key)]

    async def _carry(self, sort: dict[Decision, list[Claimed]]) -> None:
        limits = self.operation.limits
        new = [self._take(claim) for claim in sort[Decision.NEW]]
        changed = [self._take(claim) for claim in sort[Decision.CHANGED]]
        unclear = [self._take(claim) for claim in sort[Decision.RESOLVE]]
        if limits.on_change == "ignore":
            for item in changed:
                self.settling.keep(item)
            changed = []
        if limits.look_first:
            new = await self._adopt(new)
        if unclear:
            older: list[Prepared] = []
            same: list[Prepared] = []
            for item in unclear:
                (older if self.settling.doubts_another(item) else same).append(item)
            await self._settle_older(older)
            await self._clarify(same, ROUNDS)
        if new or changed:
            await self._send([*new, *changed], ROUNDS)

    def _take(self, claim: Claimed) -> Prepared:
        item = self.items[claim.key]
        item.external_id, item.revision, item.absent = claim.external_id, claim.revision, claim.absent
        return item

    async def _send(self, items: Sequence[Prepared], rounds: int) -> None:
        """Send the records in batches, several batches at a time."""
        cut = list(batches(items, self.operation.limits, self._alone))
        left = iter(cut)

        async def work() -> None:
            for batch in left:
                await self._deliver(batch, rounds)

        await together(*(work() for _ in range(min(self.shared.workers, len(cut)))))

    async def _deliver(self, batch: Sequence[Prepared], rounds: int) -> None:
        """Send one batch and act on what the system says of each record."""
        if self.settling.expiring():
            await self._renew()
        batch = self.settling.held(batch)
        if self.shared.stopped is not None:
            self.settling.not_sent(batch, self.shared.stopped)
            return
        if not batch:
            return
        self.settling.sending(batch)
        attempt = lease.until(self.settling.deadline())
        try:
            with attempt:
                replies = await self.operation.send(batch)
        except IntegrationError as error:
            if attempt.unsent:
                self.settling.absent_from_system(batch)
            else:
                self.settling.wrote(batch)
            await self._failed(batch, error, rounds)
            return
        unclear, again = self._settle(batch, replies)
        if unclear or again:
            self.settling.wrote([*unclear, *again])
        if self.settling.due():
            await self.settling.commit()
        if unclear:
            said = replies[0].reason if len(batch) == 1 else ""
            await self._clarify(unclear, rounds, said and f" ({said})")
        if again:
            await self._repeat(again, replies, rounds)

    async def _renew(self) -> None:
        """Prolong the leases where a request that is sent now may outlive them; without that, nothing may be sent."""
        if self.shared.stopped is not None:
            return
        await self.settling.renew()
        if self.settling.expiring():
            self.shared.stopped = self.shared.stopped or LedgerError(TOO_SLOW, system=self.operation.system)

    def _settle(self, batch: Sequence[Prepared], replies: Sequence[Reply]) -> tuple[list[Prepared], list[Prepared]]:
        """Settle what the replies decide; return what is ambiguous, and what may be sent again."""
        unclear: list[Prepared] = []
        again: list[Prepared] = []
        for item, reply in zip(batch, replies, strict=True):
            if reply.verdict is Verdict.OK:
                self.settling.done(item, reply.external_id or item.external_id, reply.body)
            elif reply.verdict is Verdict.REJECTED:
                self.settling.refuse(item, reply.code or "REJECTED", reply.reason)
            else:
                (unclear if reply.verdict is Verdict.AMBIGUOUS else again).append(item)
                if reply.code == BULK_INCOMPLETE:
                    self._alone.add(item.key)
        return unclear, again

    async def _repeat(self, items: Sequence[Prepared], replies: Sequence[Reply], rounds: int) -> None:
        """Send again what the system has said it did not take, after the wait that it asks for."""
        if rounds <= 1:
            for item in items:
                self.settling.defer(item, "NOT_SENT", "the system did not take the record after several tries")
            return
        asked = [reply.retry_after for reply in replies if reply.verdict is Verdict.RETRYABLE and reply.retry_after]
        await asyncio.sleep(max(asked, default=POLL))
        await self._send(items, rounds - 1)

    async def _failed(self, batch: Sequence[Prepared], error: IntegrationError, rounds: int) -> None:
        """Act on an error that speaks of a whole batch."""
        if error.action in {Action.REJECT, Action.QUARANTINE}:
            if len(batch) == 1:
                self.settling.refuse(batch[0], error.code, error.message)
                return
            middle = len(batch) // 2
            await self._deliver(batch[:middle], rounds)
            await self._deliver(batch[middle:], rounds)
        elif error.action is not Action.RESOLVE and (
            self.operation.limits.repeatable or isinstance(error, NOTHING_DONE)
        ):
            await self._refused(batch, error, rounds)
        else:
            await self._clarify(batch, rounds, f" ({error.message})")

    async def _refused(self, batch: Sequence[Prepared], error: IntegrationError, rounds: int) -> None:
        """Act on an error that says that nothing was done; where that is in doubt, a look-up has the last word."""
        again = error.doubtful and rounds > 1 and isinstance(error, (NetworkError, RateLimited))
        if error.doubtful:
            log.warning("%s: %d records are looked up after a refusal: %s", self.operation.name, len(batch), error)
            batch = await self._find_twice(batch)
        if again:
            await self._send_again(batch, rounds)
        else:
            self.shared.stopped = self.shared.stopped or error
            self.settling.stopped(batch, error)

    async def _send_again(self, items: Sequence[Prepared], rounds: int) -> None:
        """Send what a look-up has shown to be absent; in the end it is looked up for a second copy.

        What was confirmed and is gone was not sent before: only its id was asked for.
        """
        again = [item for item in items if item.external_id or item.revision == 1]
        self._second_copies.expect(again, sent_twice=True)
        await self._send(items, rounds - 1)

    async def _adopt(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Take over what is in the system already; return what isn't."""
        return await self._find(items) if items else []

    async def _settle_older(self, items: Sequence[Prepared]) -> None:
        """Find out what became of versions that were overtaken by a change, before the wanted ones are claimed anew.

        What is changed in place has one content. A look-up for the wanted version can't tell whether that is the one in
        doubt, the one confirmed before or what a person has made of it, so that the wanted one is written again.
        """
        for item in await self._find_twice(items):
            if self.operation.limits.repeatable or (self._in_place and item.external_id):
                self.settling.altered(item)
            else:
                self.settling.absent(item)

    async def _find_twice(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Look up, and once more after the horizon; return what surely isn't there."""
        missing = await self._find(items) if items else []
        if not missing:
            return []
        await asyncio.sleep(self.operation.limits.horizon)
        missing = await self._find(missing)
        self.settling.absent_from_system(missing)
        for item in missing:
            item.absent = not item.external_id
        return missing

    async def _clarify(self, items: Sequence[Prepared], rounds: int, why: str = "") -> None:
        """Find out by look-up whether the records took effect; send what surely did not."""
        missing = await self._find_twice(items)
        if missing and rounds > 1:
            await self._send_again(missing, rounds)
        else:
            for item in missing:
                reason = f"its fate is still unclear{why}; the next attempt looks it up first"
                self.settling.defer(item, "AMBIGUOUS", reason)

    async def _find(self, items: Sequence[Prepared]) -> list[Prepared]:
        """Settle what a look-up shows to be in effect; return what isn't there, or only in an earlier version."""
        try:
            found = await self.operation.find(items)
        except IntegrationError as error:
            return await self._not_found_out(items, error)
        items = self.settling.held(items)
        if found is None and self.operation.limits.repeatable:
            return list(items)
        if found is None:
            for item in items:
                reason = "the system offers no look-up: see there; confirm it if it took effect, else release it"
                self.settling.quarantine(item, "NO_LOOKUP", reason)
            return []
        return [item for item in items if not self._settle_found(item, found.get(item.key))]

    async def _not_found_out(self, items: Sequence[Prepared], error: IntegrationError) -> list[Prepared]:
        """Act on a look-up that failed; one that is refused concerns single records, which wait in doubt."""
        refused = error.action in {Action.REJECT, Action.QUARANTINE}
        if refused and len(items) > 1:
            middle = len(items) // 2
            return [*await self._find(items[:middle]), *await self._find(items[middle:])]
        if refused:
            self.settling.quarantine(
                items[0], "LOOKUP_REFUSED", f"its look-up is refused: {error.message}; {SEE_THERE}"
            )
            return []
        self.shared.stopped = self.shared.stopped or error
        for item in items:
            self.settling.untold(item, f"it could not be looked up: {error.message}")
        return []

    def _settle_found(self, item: Prepared, found: Found | None) -> bool:
        if found is None:
            return False
        if found.unclear:
            self.settling.defer(item, "FILTER_IGNORED", found.unclear)
            return True
        if found.copies > 1:
            self.settling.quarantine(item, "DUPLICATE_IN_SYSTEM", TWICE.format(found.copies))
            return True
        first_version = not item.external_id
        doubts_another = self.settling.doubts_another(item)
        unknown = first_version and item.revision == 1 and not doubts_another
        if self._may_be_foreign and unknown and not found.in_effect:
            self.settling.quarantine(item, CONTENT_DIFFERS, MADE_OTHERWISE.format(found.external_id))
            return True
        item.external_id = found.external_id
        if doubts_another and self._in_place:
            return False
        if found.in_effect or (first_version and doubts_another):
            self.settling.adopt(item, found.body)
            return True
        return False

    async def _look_for_second_copies(self) -> None:
        """Have what is in the system twice wait for a person, whatever the ledger holds of it."""
        disputed = await self.settling.disputed()
        if disputed:
            log.warning("%s: %d records may be there twice and are looked up", self.operation.name, len(disputed))
        self._second_copies.expect([self.items[key] for key in disputed], sent_twice=True)
        refusals = await self._second_copies.found()
        if refusals:
            await self._ledger(self.shared.ledger.suspect, refusals, owner=self.shared.owner)
        self.settling.note_suspects(refusals, disputed)

    async def _ledger(self, call: Callable[Concatenate[str, str, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(call, self.operation.system, self.operation.kind, *args, **kwargs)
