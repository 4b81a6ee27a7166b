"""Rows of the record table, read and written many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Connection, Select, Text, and_, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.ledger.batches import Statement, change, insertion, many
from pv_testing.ledger.storable import UNUSABLE, all_storable, clean, storable
from pv_testing.ledger.tables import record
from pv_testing.ledger.types import Row, State

_COLUMNS = tuple(record.c[name] for name in Row._fields)
_CLAIMED = (
    "state", "fingerprint", "confirmed", "unresolved_fingerprint", "code", "reason", "token", "owner", "lease_until",
    "before_state", "before_fingerprint",
)  # fmt: skip
_SETTLED = (
    "state", "fingerprint", "confirmed", "revision", "external_id", "unresolved_fingerprint", "code", "reason",
    "lease_until",
)  # fmt: skip
_KEY = ("system", "kind", "key")


def _change(names: Sequence[str], keys: Sequence[str] = _KEY, where: str = "") -> Statement:
    return change("ledger_record", [*(record.c[name].name for name in names), "changed_at"], keys, where)


_CHANGE_CLAIMED, _CHANGE_SETTLED = _change(_CLAIMED), _change(_SETTLED)
_CHANGE_HELD = _change(_SETTLED, (*_KEY, "token"), f"state = '{State.IN_FLIGHT.value}'")
_take_claimed, _take_settled = attrgetter(*_CLAIMED), attrgetter(*_SETTLED)
_INSERT = insertion("ledger_record", [*(column.name for column in _COLUMNS), "changed_at", "system", "kind"])


def lookup(
    connection: Connection,
    columns: tuple[Column[Any], ...],
    place: tuple[str, str],
    column: Column[Any],
    values: Sequence[str],
    *,
    with_id: bool = False,
) -> Sequence[Any]:
    """Return the records whose ``column`` is one of ``values``; any number of them is one parameter.

    Args:
        connection: where to read.
        columns: what to return of each record.
        place: their system and kind.
        column: the last column of an index, whose others are system and kind.
        values: what the column may be; each record comes once for each time its value is in here.
        with_id: only those whose id in the system is known.
    """
    sqlite = connection.dialect.name == "sqlite"
    statement = (_listed if sqlite else _unnested)(columns, column, with_id)
    listed = orjson.dumps(list(values)).decode() if sqlite else list(values)
    return connection.execute(statement, {"system": place[0], "kind": place[1], "listed": listed}).all()


# A statement is made once for each use, as making it costs as much as running it.
@cache
def _listed(columns: tuple[Column[Any], ...], column: Column[Any], with_id: bool) -> Select[Any]:  # noqa: FBT001
    """Return the statement for SQLite."""
    listed = func.json_each(bindparam("listed", type_=Text)).table_valued("value")
    return select(*columns).where(_wanted(with_id), column.in_(select(listed.c.value)))


@cache
def _unnested(columns: tuple[Column[Any], ...], column: Column[Any], with_id: bool) -> Select[Any]:  # noqa: FBT001
    """Return the statement for PostgreSQL, which is made to look each value up in the index.

    Its statistics lag behind a ledger that grows quickly, and by them it would rather read the whole table.
    """
    listed = func.unnest(bindparam("listed", type_=ARRAY(Text))).table_valued("value").render_derived()
    each = select(*columns).where(_wanted(with_id), column == listed.c.value).offset(0).lateral()
    return select(each).select_from(listed.join(each, true()))


def _wanted(with_id: bool) -> ColumnElement[bool]:  # noqa: FBT001
    place = and_(record.c.system == bindparam("system"), record.c.kind == bindparam("kind"))
    return place & (record.c.external_id != "") if with_id else place


def fetch(connection: Connection, system: str, kind: str, keys: Sequence[str]) -> dict[str, Row]:
    """Return the rows of the keys; those that the ledger doesn't know are left out."""
    if not all_storable(keys):
        unusable = next(key for key in keys if not storable(key))
        raise DataError(f"the key {clean(unusable)[:100]!r} is {UNUSABLE}", system=system, code=Reason.KEY_UNUSABLE)
    rows = lookup(connection, _COLUMNS, (system, kind), record.c.key, keys)
    return {row[0]: Row._make(row) for row in rows}


def add(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write rows of records that the ledger didn't know."""
    many(connection, _INSERT, [(*row, now, system, kind) for row in rows])


def write_claimed(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write what a claim or a refusal has changed."""
    values = [(*_take_claimed(row), now, system, kind, row.key) for row in rows]
    many(connection, _CHANGE_CLAIMED, values)


def write_settled(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write what a settlement has changed."""
    values = [(*_take_settled(row), now, system, kind, row.key) for row in rows]
    many(connection, _CHANGE_SETTLED, values)


def write_held(connection: Connection, system: str, kind: str, rows: Sequence[Row], now: float) -> int:
    """Write what a settlement has changed of records that the claim holds whose token a row has; return how many."""
    values = [(*_take_settled(row), now, system, kind, row.key, row.token) for row in rows]
    return many(connection, _CHANGE_HELD, values)
