"""What outlives a process beside the records: how far a sweep came, and until when a system wants to be left alone.

A forged watermark could keep a record from ever being sent. Therefore each change of one is an event of the audit
trail, in the same transaction, with the SHA-256 of the new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from pv_testing.ledger import outbox
from pv_testing.ledger.audit import MARK, Draft, append
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.tables import pause as pauses
from pv_testing.ledger.tables import watermark as watermarks
from pv_testing.ledger.timetables import forget, used_up

TRAIL_SENT = "qms/audit_event/ledger"
"""The watermark of how far the audit trail itself has come to the QMS."""
ADDRESS = "/address"
"""How the names end under which the addresses of systems are kept."""
READING = "framework/reading"
"""How the names begin under which sweeps share what the framework has listed as changed."""
LOCKS = "locks/"
"""How the names begin under which runs keep the service requests that they carry."""
Change = Callable[[str | None], str | None]
"""Makes a new value of the one that is kept; where it returns that one, nothing is written."""


def is_told(name: str) -> bool:
    """Whether changes of a watermark are events of the audit trail.

    How far the trail itself has come to the QMS is none: each of its events would be followed by another one, and
    comparing the two trails finds a forged one. The address of a system only leads to a warning; who says that a system
    has moved leaves an event of that. What the framework has listed is kept anew every few minutes, also without any
    news; a forged one only delays a change, because each open request is also read without it, by default once a day.
    A forged lock keeps a request from being carried no longer than the run is running that it names.
    """
    return name != TRAIL_SENT and not name.endswith(ADDRESS) and not name.startswith((READING, LOCKS))


def digest(value: str) -> str:
    """Return what the audit trail keeps of a watermark's value."""
    return sha256(value.encode()).hexdigest()


def watermark(store: Store, name: str) -> str | None:
    """Return the value kept under a name, or ``None``."""
    with store.reading() as connection:
        value = connection.scalar(select(watermarks.c.value).where(watermarks.c.name == name))
    return None if value is None else str(value)


def set_watermark(store: Store, name: str, value: str) -> None:
    """Keep a value under a name."""
    change_watermark(store, name, lambda _: value)


def change_watermark(store: Store, name: str, change: Change) -> None:
    """Change the value kept under a name in one transaction, so that no other process's change is lost."""
    before = watermark(store, name)
    if change(before) == before:
        return
    with store.writing() as writing:
        append(writing, put(writing, {name: change}))


def put(writing: Writing, changes: Mapping[str, Change], owner: str = "") -> list[Draft]:
    """Change watermarks in the caller's transaction, and return the events that tell of it."""
    events = []
    for name, change in changes.items():
        kept = writing.connection.scalar(select(watermarks.c.value).where(watermarks.c.name == name))
        value = change(kept)
        if value is None or value == kept:
            continue
        _put(writing, watermarks, {"name": name}, {"value": value})
        if is_told(name):
            events.append(Draft(owner, MARK, key=name, fingerprint=digest(value)))
    return events


def record(store: Store, event: Draft, changes: Mapping[str, Change]) -> None:
    """Write an event, and change the watermarks that belong to it, in one transaction."""
    with store.writing() as writing:
        append(writing, [*put(writing, changes, event.owner), event])
        outbox.write_events(writing, [event])


def paused_until(store: Store, system: str) -> float:
    """Return until when the system wants to be left alone, in epoch seconds; 0 when it doesn't."""
    with store.reading() as connection:
        return float(connection.scalar(select(pauses.c.until).where(pauses.c.system == system)) or 0.0)


def paused(store: Store) -> dict[str, float]:
    """Return the systems that want to be left alone now, with the epoch seconds until when."""
    with store.reading() as connection:
        return dict(sorted(_paused(connection, store.clock(connection)).items()))


def _paused(connection: Connection, now: float) -> dict[str, float]:
    """Return what :func:`paused` does: who asked to be left alone, and who said that its limit is used up."""
    asked = dict(map(tuple, connection.execute(select(pauses).where(pauses.c.until > now)).all()))
    full = used_up(connection, now)
    return {system: max(asked.get(system, 0.0), full.get(system, 0.0)) for system in asked.keys() | full.keys()}


def pause(store: Store, system: str, until: float) -> None:
    """Keep the longest wait that a system has asked for."""
    if until <= paused_until(store, system):
        return
    with store.writing() as writing:
        now_kept = writing.connection.scalar(select(pauses.c.until).where(pauses.c.system == system)) or 0.0
        _put(writing, pauses, {"system": system}, {"until": max(until, now_kept)})


def resume(store: Store, system: str, owner: str) -> float:
    """Forget a system's wish to be left alone; return until when it was, in epoch seconds, or 0 without one."""
    with store.writing() as writing:
        until = _paused(writing.connection, writing.now).get(system, 0.0)
        if until:
            writing.connection.execute(delete(pauses).where(pauses.c.system == system))
            forget(writing.connection, system, writing.now)
            append(writing, [Draft(owner, "resume", system, detail={"paused_until": until})])
            return until
    return 0.0


def _put(writing: Writing, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    ((name, wanted),) = key.items()
    if not writing.connection.execute(update(table).where(table.c[name] == wanted).values(values)).rowcount:
        writing.connection.execute(insert(table).values({**key, **values}))
