"""Events on their way out: written by the transaction that settles their record, delivered afterwards.

An event is written only where an endpoint wants it, together with one delivery for each such endpoint. A delivery is
claimed for a while, sent, and settled; a process that is killed in between leaves it to the next one, so that an
endpoint may get an event twice, under the same id, and never loses one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, literal_column, select

from pv_testing.core.records import NOTHING
from pv_testing.domain.events import Occurrence, matches, occurrences
from pv_testing.ledger import endpoints
from pv_testing.ledger.audit import Draft
from pv_testing.ledger.batches import Statement, change, insertion, many
from pv_testing.ledger.endpoints import Endpoint, EndpointState
from pv_testing.ledger.storable import clean
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.tables import delivery, outbox
from pv_testing.ledger.types import Settlement

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
DAY = 86_400.0
# As the indexes' own condition says it; a parameter would keep SQLite from using them.
_IS_PENDING: ColumnElement[str] = literal_column("'pending'")
_LISTENERS = "SELECT 1 FROM ledger_endpoint LIMIT 1"
_EVENT = insertion("ledger_outbox", ("sequence", "id", "event", "subject", "at", "data"))
_DELIVERY = insertion("ledger_delivery", [column.name for column in delivery.columns])
_LEASE = change("ledger_delivery", ("lease_until",), ("endpoint", "sequence"))
_SETTLE = Statement(
    "UPDATE ledger_delivery SET state = ?, attempts = ?, next_at = ?, lease_until = 0, changed_at = ?, status = ?, "
    "reason = ? WHERE endpoint = ? AND sequence = ?"
)
_AGAIN = Statement(
    "UPDATE ledger_delivery SET state = 'pending', attempts = 0, next_at = 0, lease_until = 0, reason = '' "
    "WHERE endpoint = ? AND sequence = ?"
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is delivered.

    Attributes:
        sequence: its place in the outbox.
        id: what names it over all deliveries and retries.
        name: such as ``invoice.posted``.
        subject: what it is about.
        at: epoch seconds.
        data: JSON values.
    """

    sequence: int
    id: str
    name: str
    subject: str
    at: float
    data: Mapping[str, Any]


class Delivery(NamedTuple):
    """One event for one endpoint.

    Attributes:
        endpoint: its id.
        event: what is delivered.
        attempts: how often it was tried.
    """

    endpoint: str
    event: Event
    attempts: int


class Delivered(NamedTuple):
    """What became of a delivery.

    Attributes:
        delivery: which.
        state: ``delivered``, ``pending`` for another try, or ``dead``.
        status: of the answer; 0 without one.
        reason: why not, in words.
        next_at: epoch seconds of the next try.
        attempted: whether it was sent at all; one that was not is only given back.
    """

    delivery: Delivery
    state: str
    status: int = 0
    reason: str = ""
    next_at: float = 0.0
    attempted: bool = True


def write_events(writing: Writing, drafts: Sequence[Draft], settlements: Sequence[Settlement] = ()) -> None:
    """Write what events of the audit trail mean to others, in the caller's transaction.

    Without an endpoint that is one look into an empty table.

    Args:
        writing: the transaction that wrote the audit events.
        drafts: these events.
        settlements: what they tell of, with the records as they were before mapping.
    """
    if not drafts or not _has_listeners(writing.connection):
        return
    facts = {(one.claimed.system, one.claimed.kind, one.claimed.key): one.facts for one in settlements}
    candidates = [
        each for draft in drafts
        for each in occurrences(draft._asdict(), facts.get((draft.system, draft.kind, draft.key), NOTHING))
    ]  # fmt: skip
    publish(writing, candidates)


def _has_listeners(connection: Connection) -> bool:
    return connection.exec_driver_sql(_LISTENERS).first() is not None


def publish(writing: Writing, candidates: Iterable[Occurrence]) -> int:
    """Write those events that an endpoint wants, in the caller's transaction; return how many are new."""
    listening = endpoints.read(writing.connection)
    wanted = [each for each in candidates if any(_wants(one, each.name) for one in listening)]
    if not wanted:
        return 0
    known = _known(writing.connection, [_id(each) for each in wanted if each.once])
    sequence = int(writing.connection.scalar(select(func.coalesce(func.max(outbox.c.sequence), 0))) or 0)
    events, deliveries = [], []
    for each in wanted:
        event_id = _id(each)
        if event_id in known:
            continue
        known.add(event_id)
        sequence += 1
        subject = clean(each.subject)
        events.append((sequence, event_id, each.name, subject, writing.now, orjson.dumps(dict(each.data)).decode()))
        deliveries += [
            (one.id, sequence, subject, PENDING, 0, writing.now, 0.0, writing.now, 0, "")
            for one in listening if _wants(one, each.name)
        ]  # fmt: skip
    many(writing.connection, _EVENT, events)
    many(writing.connection, _DELIVERY, deliveries)
    return len(events)


def _wants(endpoint: Endpoint, name: str) -> bool:
    return any(matches(pattern, name) for pattern in endpoint.events)


def _id(occurrence: Occurrence) -> str:
    """Return a new id, or the same each time for what may be noticed again."""
    named = f"{occurrence.name}\x1f{occurrence.once}"
    return f"msg_{sha256(named.encode()).hexdigest()[:32] if occurrence.once else uuid4().hex}"


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    return set(connection.scalars(select(outbox.c.id).where(outbox.c.id.in_(ids))))


class Outbox:
    """The events in a ledger that are to be delivered.

    Args:
        store: the ledger's database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def publish(self, candidates: Sequence[Occurrence]) -> int:
        """Write events that no settlement writes; return how many are new.

        Args:
            candidates: what has happened; with ``once``, what was written before is left out.
        """
        with self._store.reading() as connection:
            if not candidates or not _has_listeners(connection):
                return 0
            known = _known(connection, [_id(one) for one in candidates if one.once])
        fresh = [one for one in candidates if not one.once or _id(one) not in known]
        if not fresh:
            return 0
        with self._store.writing() as writing:
            return publish(writing, fresh)

    def claim(self, endpoint_id: str, limit: int, lease: float) -> list[Delivery]:
        """Take deliveries that are due, in their order, and keep others from taking them for a while.

        Of one subject only that is due before which nothing waits; what follows it is taken along.

        Args:
            endpoint_id: for whom.
            limit: at most so many.
            lease: seconds.
        """
        with self._store.reading() as connection:
            if not _due(connection, endpoint_id, 1, self._store.clock(connection)):
                return []
        with self._store.writing() as writing:
            rows = _due(writing.connection, endpoint_id, limit, writing.now)
            until = writing.now + lease
            many(writing.connection, _LEASE, [(until, endpoint_id, row.sequence) for row in rows])
        return [Delivery(endpoint_id, _event(row), row.attempts) for row in rows]

    def until_retry(self, endpoint_id: str) -> float | None:
        """Return the seconds until the next retry of a delivery to an endpoint is due; ``None`` where none waits.

        Args:
            endpoint_id: to which.
        """
        with self._store.reading() as connection:
            now = self._store.clock(connection)
            waits = and_(
                delivery.c.endpoint == endpoint_id, delivery.c.state == _IS_PENDING, delivery.c.next_at > now,
                delivery.c.lease_until <= now,
            )  # fmt: skip
            first = connection.scalar(select(func.min(delivery.c.next_at)).where(waits))
        return None if first is None else float(first) - now

    def settle(self, endpoint_id: str, results: Sequence[Delivered]) -> None:
        """Write what became of deliveries to one endpoint, and how it fares.

        Args:
            endpoint_id: the endpoint.
            results: in the order in which they were sent.
        """
        with self._store.writing() as writing:
            sent = [each for each in results if each.attempted]
            free = [each for each in results if not each.attempted]
            many(writing.connection, _SETTLE, [_settled(each, writing.now) for each in sent])
            many(writing.connection, _LEASE, [(0.0, endpoint_id, each.delivery.event.sequence) for each in free])
            _note_health(writing, endpoint_id, sent)

    def hold(self, endpoint_id: str, until: float) -> None:
        """Leave an endpoint alone until a moment, in epoch seconds."""
        with self._store.writing() as writing:
            for each in endpoints.read(writing.connection):
                if each.id == endpoint_id and each.held_until < until:
                    endpoints.write(writing.connection, replace(each, held_until=until))

    def disable(self, endpoint_id: str, reason: str, owner: str) -> None:
        """Tell an endpoint of nothing more until a person resumes it; the audit trail says why.

        Args:
            endpoint_id: which.
            reason: why.
            owner: who does it.
        """
        with self._store.writing() as writing:
            for each in endpoints.read(writing.connection):
                if each.id == endpoint_id and each.state is not EndpointState.DISABLED:
                    endpoints.disable(writing, each, reason, owner)

    def replay(self, endpoint_id: str, *, since: float = 0.0, until: float = 0.0, event_id: str = "") -> int:
        """Have events delivered once more under their ids; return how many.

        Args:
            endpoint_id: to whom; only what it is subscribed to.
            since: from this moment on, in epoch seconds.
            until: up to this moment; 0 for now.
            event_id: only this one.
        """
        with self._store.writing() as writing:
            target = next((each for each in endpoints.read(writing.connection) if each.id == endpoint_id), None)
            if target is None:
                return 0
            where = outbox.c.id == event_id if event_id else and_(
                outbox.c.at >= since, outbox.c.at <= (until or writing.now)
            )  # fmt: skip
            rows = writing.connection.execute(select(outbox).where(where).order_by(outbox.c.sequence)).all()
            wanted = [row for row in rows if _wants(target, row.event)]
            known = select(delivery.c.sequence).where(delivery.c.endpoint == endpoint_id)
            there = set(writing.connection.scalars(known))
            again = [(endpoint_id, row.sequence) for row in wanted if row.sequence in there]
            missing = [row for row in wanted if row.sequence not in there]
            many(writing.connection, _AGAIN, again)
            many(writing.connection, _DELIVERY, [
                (endpoint_id, row.sequence, row.subject, PENDING, 0, 0.0, 0.0, writing.now, 0, "") for row in missing
            ])  # fmt: skip
        return len(wanted)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many deliveries there are by endpoint and state."""
        where = (delivery.c.endpoint, delivery.c.state)
        with self._store.reading() as connection:
            rows = connection.execute(select(*where, func.count()).group_by(*where)).all()
        return {(row[0], row[1]): row[2] for row in rows}

    def events(self, limit: int = 100) -> list[Event]:
        """Return the newest events, the newest first."""
        with self._store.reading() as connection:
            rows = connection.execute(select(outbox).order_by(outbox.c.sequence.desc()).limit(limit)).all()
        return [_event(row) for row in rows]

    def prune(self, days: float) -> int:
        """Forget events that are older and of which nothing is on its way to an active endpoint; return how many."""
        with self._store.writing() as writing:
            active = [each.id for each in endpoints.read(writing.connection) if each.state is EndpointState.ACTIVE]
            waits = exists().where(
                delivery.c.sequence == outbox.c.sequence, delivery.c.state == PENDING, delivery.c.endpoint.in_(active)
            )
            old = and_(outbox.c.at < writing.now - days * DAY, ~waits)
            gone = writing.connection.execute(delete(outbox).where(old)).rowcount
            orphaned = ~exists().where(outbox.c.sequence == delivery.c.sequence)
            if gone:
                writing.connection.execute(delete(delivery).where(orphaned))
        return int(gone)


def _due(connection: Connection, endpoint_id: str, limit: int, now: float) -> Sequence[Any]:
    """Return pending deliveries whose subject isn't held up by an earlier one, in their order."""
    earlier = delivery.alias()
    held_up = exists().where(
        earlier.c.endpoint == delivery.c.endpoint,
        earlier.c.subject == delivery.c.subject,
        earlier.c.state == _IS_PENDING,
        earlier.c.sequence <= delivery.c.sequence,
        (earlier.c.next_at > now) | (earlier.c.lease_until > now),
    )
    statement = (
        select(outbox, delivery.c.attempts)
        .join(delivery, delivery.c.sequence == outbox.c.sequence)
        .where(delivery.c.endpoint == endpoint_id, delivery.c.state == _IS_PENDING, ~held_up)
        .order_by(delivery.c.sequence)
        .limit(limit)
    )
    return connection.execute(statement).all()


def _event(row: Any) -> Event:
    return Event(row.sequence, row.id, row.event, row.subject, row.at, orjson.loads(row.data))


def _settled(each: Delivered, now: float) -> tuple[Any, ...]:
    place = (each.delivery.endpoint, each.delivery.event.sequence)
    attempts = each.delivery.attempts + 1
    return each.state, attempts, each.next_at, now, each.status, clean(each.reason), *place


def _note_health(writing: Writing, endpoint_id: str, sent: Sequence[Delivered]) -> None:
    """Count failures in a row; a delivery that arrives ends them."""
    target = next((each for each in endpoints.read(writing.connection) if each.id == endpoint_id), None)
    if target is None or not sent:
        return
    since_success = 0
    for each in reversed(sent):
        if each.state == DELIVERED:
            break
        since_success += 1
    recovered = since_success < len(sent)
    failures = since_success + (0 if recovered else target.failures)
    failing_since = (0.0 if recovered else target.failing_since) or writing.now
    after = replace(target, failures=failures, failing_since=failing_since if failures else 0.0)
    if after != target:
        endpoints.write(writing.connection, after)
