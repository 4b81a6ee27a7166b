"""The ledger's face: every method is one short transaction, and any of them may be called from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from pv_testing.core.records import NOTHING
from pv_testing.ledger import audit, claims, joint, queries, schema, state_store, waiting
from pv_testing.ledger import marks as marks_of
from pv_testing.ledger.decisions import decision
from pv_testing.ledger.endpoints import Endpoints
from pv_testing.ledger.inbox import Inbox
from pv_testing.ledger.outbox import Outbox
from pv_testing.ledger.store import Store, warn_of_volatile
from pv_testing.ledger.timetables import LedgerTimetables
from pv_testing.ledger.types import AuditEvent, AuditSummary, Claim, Claimed, Entry, Refusal, Settlement, State
from pv_testing.ledger.verify import verify

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from typing_extensions import Self


Value = TypeVar("Value")


class Ledger:
    """What is known of each record in each system, and the trail of everything that was done.

    The tables are created or migrated when it is opened. Every method raises
    :class:`~pv_testing.core.errors.LedgerError` when the database can't be used.

    Args:
        url: SQLAlchemy's form. ``sqlite:////srv/pv/ledger.sqlite`` is a file, ``postgresql://user:word@host/name`` a
            PostgreSQL database; for one in memory see :meth:`in_memory`.
        quiet: say nothing of one in memory, because no record is sent with it.
    """

    def __init__(self, url: str, *, quiet: bool = False) -> None:
        self._store = Store(url)
        if self._store.memory and not quiet:
            warn_of_volatile()
        try:
            schema.prepare(self._store)
        except BaseException:
            self.close()
            raise

    @classmethod
    def in_memory(cls, *, quiet: bool = False) -> Self:
        """Open a ledger that ends with the object; the log says once a process what that means.

        Args:
            quiet: say nothing, because nothing that is sent with it need be remembered.
        """
        return cls("sqlite://", quiet=quiet)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoints(self) -> Endpoints:
        """Who is told of events."""
        return Endpoints(self._store)

    @property
    def outbox(self) -> Outbox:
        """The events that are to be delivered to them."""
        return Outbox(self._store)

    @property
    def inbox(self) -> Inbox:
        """The events that others have told us of."""
        return Inbox(self._store)

    @property
    def timetables(self) -> LedgerTimetables:
        """Who may send when, where all tasks and hosts share a system's limit."""
        return LedgerTimetables(self._store)

    def now(self) -> float:
        """Return epoch seconds on the clock that leases are measured by: the server's on PostgreSQL."""
        with self._store.reading() as connection:
            return self._store.clock(connection)

    def claim(self, system: str, kind: str, items: Sequence[Claim], *, owner: str, lease: float) -> list[Claimed]:
        """Ask to bring records into effect.

        Args:
            system: the system they go to.
            kind: what they are, such as ``sample``.
            items: the versions that are to take effect.
            owner: who asks: DAG, run, task, map index and try, or a person.
            lease: seconds for which no other attempt may hold them; longer than the longest request.

        Returns:
            One answer an item, in their order. Those whose decision is ``held`` must be settled.

        Raises:
            DataError: a key can't be kept in a database.
        """
        return claims.claim(self._store, system, kind, items, owner, lease)

    def peek(self, system: str, kind: str, items: Sequence[Claim]) -> list[Claimed]:
        """Say what :meth:`claim` would answer, and claim nothing; for plans.

        Args:
            system: the system they would go to.
            kind: what they are.
            items: the versions that would take effect.
        """
        return claims.peek(self._store, system, kind, items)

    def renew(self, claimed: Sequence[Claimed], lease: float) -> None:
        """Prolong leases.

        Args:
            claimed: claims that are held.
            lease: seconds from now.

        Raises:
            LeaseLost: some were taken over or settled; the others are prolonged.
        """
        if claimed:
            claims.renew(self._store, claimed, lease)

    def settle(self, settlements: Sequence[Settlement], *, owner: str) -> list[str]:
        """Say what became of claimed records, in one transaction with one audit event each.

        Args:
            settlements: what became of them.
            owner: who says so.

        Returns:
            The keys that were not settled because another attempt has taken them over; the audit trail says so too.
        """
        return claims.settle(self._store, settlements, owner)

    @property
    def volatile(self) -> bool:
        """Whether it ends with the object, as that of a trial does."""
        return self._store.memory

    def transaction(self) -> AbstractContextManager[Connection]:
        """Give a transaction in the ledger's database; see :mod:`pv_testing.ledger.joint`.

        Raises:
            ConfigError: the ledger is no PostgreSQL database.
        """
        return joint.transaction(self._store)

    def settle_within(self, connection: Connection, settlements: Sequence[Settlement], *, owner: str) -> list[str]:
        """Do what :meth:`settle` does in a transaction of :meth:`transaction`, to be rolled back if any is refused."""
        return joint.settle(connection, settlements, owner)

    def quarantine(self, system: str, kind: str, items: Sequence[Refusal], *, owner: str) -> None:
        """Note records that could not be mapped; a refusal that is noted already leaves no new event.

        Args:
            system: the system they should have gone to.
            kind: what they are.
            items: the records and why not.
            owner: who found out.
        """
        if items:
            waiting.quarantine(self._store, system, kind, items, owner)

    def suspect(self, system: str, kind: str, items: Sequence[Refusal], *, owner: str) -> None:
        """Put records of which the system holds more than one into quarantine, whatever was believed of them.

        An attempt that holds one of them loses it. Released, each is looked up before anything is sent.

        Args:
            system: the system.
            kind: what they are.
            items: the records and what was seen of them.
            owner: who has seen it.
        """
        if items:
            waiting.suspect(self._store, system, kind, items, owner)

    def release(
        self,
        system: str,
        kind: str,
        keys: Sequence[str],
        *,
        owner: str = "",
        absent: bool = False,
        automatic: bool = False,
        detail: Mapping[str, Any] = NOTHING,
    ) -> int:
        """Let rejected and quarantined records be tried again.

        Args:
            system: the system.
            kind: what they are.
            keys: which; those that don't wait for a person are left alone.
            owner: who releases them.
            absent: the person has looked into the system and the record isn't there, so it is sent without a look-up.
                Frees ``unknown`` and interrupted records too. Without it, a version that may have been sent is looked
                up first, unless it waits with the code ``NO_LOOKUP``.
            automatic: no person has looked at each record, so that those with the codes ``NO_LOOKUP``,
                ``CONTENT_DIFFERS`` and ``DUPLICATE_IN_SYSTEM`` go on waiting.
            detail: what else the audit trail is to say of who has done it.

        Returns:
            How many were released.
        """
        return waiting.release(self._store, system, kind, keys, owner, absent=absent, automatic=automatic, about=detail)

    def confirm(
        self, system: str, kind: str, key: str, external_id: str, *, owner: str, detail: Mapping[str, Any] = NOTHING
    ) -> None:
        """Note that a person has seen a waiting record in the system, as it was last sent.

        Args:
            system: the system.
            kind: what it is.
            key: its business key.
            external_id: its id in the system.
            owner: who has seen it.
            detail: what else the audit trail is to say of who has done it.

        Raises:
            LedgerError: the record doesn't wait for a person.
        """
        waiting.confirm(self._store, system, kind, key, external_id, owner, about=detail)

    def external_ids(self, system: str, kind: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids in the system of those keys whose id is known."""
        return queries.external_ids(self._store, system, kind, keys)

    def find_by_external_id(self, system: str, kind: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the keys of those ids that are known."""
        return queries.find_by_external_id(self._store, system, kind, ids)

    def entries(
        self,
        system: str | None = None,
        kind: str | None = None,
        states: Sequence[State | str] | None = None,
        prefix: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Give the entries of records, in the order of system, kind and key.

        Args:
            system: only of this system.
            kind: only of this kind.
            states: only in these states.
            prefix: only keys that begin so, such as ``SR-2025-0123/``.
            limit: at most so many.
        """
        return queries.entries(self._store, system, kind, states, prefix, limit)

    def waiting(self, system: str | None = None) -> list[Entry]:
        """Return what waits for a person or for a look-up: quarantined, rejected, unknown and interrupted records."""
        return list(queries.waiting(self._store, system))

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return how many records there are of each system, kind and state."""
        return queries.counts(self._store)

    def watermark(self, name: str) -> str | None:
        """Return how far a sweep came, as it was kept, or ``None``."""
        return marks_of.watermark(self._store, name)

    def set_watermark(self, name: str, value: str) -> None:
        """Keep how far a sweep came."""
        marks_of.set_watermark(self._store, name, value)

    def state(self, key: str, empty: Value) -> Value:
        """Return what a step remembers under a key; see :mod:`pv_testing.ledger.state_store`.

        Args:
            key: such as ``erp/invoice/SR-2025-0123``.
            empty: the value that is returned where nothing is remembered.
        """
        return state_store.read(self._store, key, empty)

    def update(self, key: str, change: Callable[[Value], Value], empty: Value) -> Value:
        """Change the value under a key, whoever else changes it at the same time, and return the new one.

        Args:
            key: as for :meth:`state`.
            change: makes the new value of the one that is kept; it may be called more than once, and must be quick.
            empty: what it is given where nothing is kept.
        """
        return state_store.update(self._store, key, change, empty)

    def states(self, system: str, kind: str, keys: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of records by key; a record that the ledger doesn't know is left out.

        Args:
            system: of the records.
            kind: of the records.
            keys: their business keys.
        """
        return queries.states(self._store, system, kind, list(keys))

    def in_doubt(self, system: str, kind: str, keys: Iterable[str]) -> set[str]:
        """Return those records of which another version may be in effect; the arguments are those of :meth:`states`."""
        return {key for key, entry in self.states(system, kind, keys).items() if entry.in_doubt}

    def pause(self, system: str, until_epoch: float) -> None:
        """Keep that a system wants to be left alone, so that it outlives a killed process; the longest wait wins.

        Args:
            system: the system.
            until_epoch: when it may be asked again, in epoch seconds.
        """
        marks_of.pause(self._store, system, until_epoch)

    def paused_until(self, system: str) -> float:
        """Return when the system may be asked again, in epoch seconds; 0 when it never said."""
        return marks_of.paused_until(self._store, system)

    def paused(self) -> dict[str, float]:
        """Return the systems that want to be left alone now, with the epoch seconds until when."""
        return marks_of.paused(self._store)

    def resume(self, system: str, *, owner: str) -> float:
        """Lift a system's pause before its end; the audit trail says who did.

        Args:
            system: the system.
            owner: who lifts it.

        Returns:
            Until when it was, in epoch seconds; 0 where there was none.
        """
        return marks_of.resume(self._store, system, owner)

    def record(
        self,
        action: str,
        *,
        system: str = "",
        kind: str = "",
        key: str = "",
        owner: str = "",
        detail: Mapping[str, Any] | None = None,
        marks: Mapping[str, Callable[[str | None], str]] | None = None,
    ) -> None:
        """Write an event of your own into the audit trail.

        Args:
            action: what was done, such as ``sweep``.
            system: the system concerned.
            kind: what the record is.
            key: the business key.
            owner: who acted.
            detail: JSON values; credentials in it are blotted out.
            marks: watermarks that change in the same transaction, each with what makes its new value of the one kept.
        """
        event = audit.draft(action, system=system, kind=kind, key=key, owner=owner, detail=detail or {})
        marks_of.record(self._store, event, marks or {})

    def decision(self, system: str, kind: str, finding: str) -> AuditEvent | None:
        """Return a person's last decision on a finding, as the audit trail has it; ``None`` without one.

        Args:
            system: the system concerned.
            kind: the kind of the finding.
            finding: the digest of the finding, as the event's detail names it.

        Raises:
            AuditBroken: the event isn't what was written in its place of the chain.
        """
        return decision(self._store, system, kind, finding)

    def events(self, after: int = 0, limit: int | None = None) -> Iterator[AuditEvent]:
        """Give the audit trail in order.

        Args:
            after: begin behind this sequence number.
            limit: at most so many.
        """
        return audit.events(self._store, after, limit)

    def verify(self) -> AuditSummary:
        """Check the whole ledger: the audit trail, and the tables against what it tells.

        Raises:
            AuditBroken: with the number of the first event that is altered, missing, added or out of order.
            LedgerAltered: the trail is whole, but a record, a watermark or a guard isn't what it was.
        """
        return verify(self._store)
