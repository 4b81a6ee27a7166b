"""Questions to the ledger that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from pv_testing.core.reasons import Reason
from pv_testing.ledger import rules
from pv_testing.ledger.rows import lookup
from pv_testing.ledger.storable import all_storable, storable
from pv_testing.ledger.store import Store
from pv_testing.ledger.tables import record
from pv_testing.ledger.types import Entry, Row, State

PAGE = 1_000
WAITING = (State.QUARANTINED, State.REJECTED, State.UNKNOWN, State.IN_FLIGHT)
LEFT_BEHIND = "an attempt ended before it knew what became of it; the next one will look it up"
_ENTRY = (
    record.c.system,
    record.c.kind,
    record.c.key,
    record.c.state,
    record.c.external_id,
    record.c.revision,
    record.c.fingerprint,
    record.c.code,
    record.c.reason,
    record.c.owner,
    record.c.lease_until,
    record.c.changed_at,
    record.c.unresolved_fingerprint,
)
_KEY = (record.c.system, record.c.kind, record.c.key)
_LAST_CHARACTER = "\U0010ffff"


def external_ids(store: Store, system: str, kind: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the ids in the system of those keys whose id is known."""
    columns = (record.c.key, record.c.external_id)
    with store.reading() as connection:
        rows = lookup(connection, columns, (system, kind), record.c.key, _possible(keys), with_id=True)
    return {row[0]: row[1] for row in rows}


def find_by_external_id(store: Store, system: str, kind: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the keys of those ids that are known."""
    columns = (record.c.external_id, record.c.key)
    with store.reading() as connection:
        rows = lookup(connection, columns, (system, kind), record.c.external_id, _possible(ids), with_id=True)
    return {row[0]: row[1] for row in rows}


def states(store: Store, system: str, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
    """Return the entries of those keys that are known."""
    with store.reading() as connection:
        rows = lookup(connection, _ENTRY, (system, kind), record.c.key, _possible(keys))
    return {row[2]: _entry(row) for row in rows}


def _possible(values: Sequence[str]) -> Sequence[str]:
    return values if all_storable(values) else [value for value in values if storable(value)]


def entries(
    store: Store,
    system: str | None = None,
    kind: str | None = None,
    states: Sequence[State | str] | None = None,
    prefix: str | None = None,
    limit: int | None = None,
) -> Iterator[Entry]:
    """Give entries in the order of system, kind and key, a page at a time."""
    wanted = _conditions(system, kind, states, prefix)
    after: tuple[str, str, str] | None = None
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        statement = select(*_ENTRY).where(*wanted).order_by(*_KEY).limit(size)
        if after is not None:
            statement = statement.where(tuple_(*_KEY) > after)
        with store.reading() as connection:
            rows = connection.execute(statement).all()
        yield from map(_entry, rows)
        if len(rows) < size:
            return
        after = (rows[-1][0], rows[-1][1], rows[-1][2])
        left = None if left is None else left - size


def waiting(store: Store, system: str | None = None) -> Iterator[Entry]:
    """Give entries that wait for a person or for a look-up, with those whose attempt is over without a settlement.

    Args:
        store: the database.
        system: only this system's.
    """
    with store.reading() as connection:
        now = store.clock(connection)
    for entry in entries(store, system, states=WAITING):
        if entry.state is not State.IN_FLIGHT:
            yield entry
        elif entry.lease_until <= now:
            yield replace(entry, code=Reason.INTERRUPTED, reason=LEFT_BEHIND)


def _conditions(
    system: str | None, kind: str | None, states: Sequence[State | str] | None, prefix: str | None
) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if system is not None:
        wanted.append(record.c.system == system)
    if kind is not None:
        wanted.append(record.c.kind == kind)
    if states is not None:
        wanted.append(record.c.state.in_([State(state).value for state in states]))
    if prefix:
        wanted += [record.c.key >= prefix, record.c.key < prefix + _LAST_CHARACTER]
    return wanted


def _entry(row: Any) -> Entry:
    system, kind, key, state, external_id, revision, fingerprint, code, reason, owner, lease, changed, unresolved = row
    known = Row(key, state, fingerprint, code=code, unresolved_fingerprint=unresolved)
    return Entry(
        system=system,
        kind=kind,
        key=key,
        state=State(state),
        external_id=external_id,
        revision=revision,
        fingerprint=fingerprint,
        code=code,
        reason=reason,
        owner=owner,
        lease_until=lease,
        changed_at=changed,
        in_doubt=rules.in_doubt(known),
    )


def counts(store: Store) -> dict[tuple[str, str, str], int]:
    """Return how many records there are of each system, kind and state."""
    place = (record.c.system, record.c.kind, record.c.state)
    with store.reading() as connection:
        rows = connection.execute(select(*place, func.count()).group_by(*place).order_by(*place))
        return {(system, kind, state): number for system, kind, state, number in rows}
