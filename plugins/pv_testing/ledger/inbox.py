"""Events that others have told us of: each kept once before it is acknowledged, until what it starts has begun.

An event is a hint that something has changed. Of its body nothing is kept but its name and the service request that it
is about; the object is read again by what the event starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, literal_column, or_, select

from pv_testing.ledger.batches import Statement, change, insertion, many
from pv_testing.ledger.storable import clean
from pv_testing.ledger.store import Store
from pv_testing.ledger.tables import inbox

WAITING, STARTED, IGNORED = "waiting", "started", "ignored"
DAY = 86_400.0
# As the index's own condition says it; a parameter would keep SQLite from using it.
_IS_WAITING: ColumnElement[str] = literal_column("'waiting'")
_COLUMNS = ("source", "id", "dag", "event", "subject", "received_at", "state", "attempts", "next_at", "reason")
_ADD = insertion("ledger_inbox", _COLUMNS, "ON CONFLICT DO NOTHING")
_CLOSE = change("ledger_inbox", ("state", "reason"), ("source", "id", "dag"))
_PUT_OFF = change("ledger_inbox", ("next_at", "reason"), ("source", "id", "dag"))
_POSTPONE = Statement(
    "UPDATE ledger_inbox SET attempts = attempts + 1, next_at = ?, reason = ? WHERE source = ? AND id = ? AND dag = ?"
)


class Received(NamedTuple):
    """An event that another system has sent.

    Attributes:
        source: which system.
        id: what names it there.
        event: its name.
        subject: the number or id of the service request that it is about; empty where it doesn't say.
        dag: what it starts; empty for nothing. An event that starts several is kept once for each.
    """

    source: str
    id: str
    event: str
    subject: str = ""
    dag: str = ""


class Waiting(NamedTuple):
    """An event by which something is still to be started.

    Attributes:
        event: the event.
        received_at: epoch seconds.
        attempts: how often starting it has failed.
    """

    event: Received
    received_at: float
    attempts: int


class Inbox:
    """The events in a ledger that others have told us of.

    Args:
        store: the ledger's database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def receive(self, events: Sequence[Received]) -> int:
        """Keep events in one transaction, each once; when it returns they are on the disk. Returns how many are new."""
        with self._store.writing() as writing:
            return many(writing.connection, _ADD, [_row(event, writing.now) for event in events])

    def waiting(self, limit: int = 1_000, *, older: float = 0.0) -> list[Waiting]:
        """Return events by which something is still to be started, the oldest first, those of one event by DAG.

        Args:
            limit: at most so many.
            older: only those that were received so many seconds ago.
        """
        with self._store.reading() as connection:
            now = self._store.clock(connection)
            rows = connection.execute(
                select(inbox)
                .where(inbox.c.state == _IS_WAITING, inbox.c.next_at <= now, inbox.c.received_at <= now - older)
                .order_by(inbox.c.received_at, inbox.c.source, inbox.c.id, inbox.c.dag)
                .limit(limit)
            ).all()
        return [
            Waiting(Received(row.source, row.id, row.event, row.subject, row.dag), row.received_at, row.attempts)
            for row in rows
        ]

    def next_in(self) -> float:
        """Return in how many seconds the next event is due by which something is still to be started; else infinity."""
        with self._store.reading() as connection:
            due = connection.scalar(select(func.min(inbox.c.next_at)).where(inbox.c.state == _IS_WAITING))
            return math.inf if due is None else max(0.0, due - self._store.clock(connection))

    def started(self, events: Sequence[Received], run: str) -> None:
        """Note that what events start has begun.

        Args:
            events: which.
            run: what was started.
        """
        self._write(_CLOSE, [(STARTED, clean(run), event.source, event.id, event.dag) for event in events])

    def postpone(self, events: Sequence[Received], seconds: float, reason: str) -> None:
        """Note that nothing could be started by events, and when that is tried again.

        Args:
            events: which.
            seconds: from now.
            reason: why.
        """
        self._later(_POSTPONE, events, seconds, reason)

    def put_off(self, events: Sequence[Received], seconds: float, reason: str) -> None:
        """Note that events have to wait before what they start can be tried; no attempt is counted.

        Args:
            events: which.
            seconds: from now.
            reason: why.
        """
        self._later(_PUT_OFF, events, seconds, reason)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many events there are by source and state."""
        where = (inbox.c.source, inbox.c.state)
        with self._store.reading() as connection:
            rows = connection.execute(select(*where, func.count()).group_by(*where)).all()
        return {(row[0], row[1]): row[2] for row in rows}

    def prune(self, days: float) -> int:
        """Forget events that are older and have started what they do; return how many."""
        with self._store.writing() as writing:
            old = and_(
                inbox.c.received_at < writing.now - days * DAY, or_(inbox.c.state == STARTED, inbox.c.state == IGNORED)
            )
            return int(writing.connection.execute(delete(inbox).where(old)).rowcount)

    def _later(self, statement: Statement, events: Sequence[Received], seconds: float, reason: str) -> None:
        with self._store.reading() as connection:
            then = self._store.clock(connection) + seconds
        self._write(statement, [(then, clean(reason), event.source, event.id, event.dag) for event in events])

    def _write(self, statement: Statement, values: list[tuple[Any, ...]]) -> None:
        if values:
            with self._store.writing() as writing:
                many(writing.connection, statement, values)


def _row(event: Received, now: float) -> tuple[Any, ...]:
    words = (event.source, clean(event.id), event.dag, clean(event.event), clean(event.subject))
    return *words, now, WAITING if event.dag else IGNORED, 0, 0.0, ""
