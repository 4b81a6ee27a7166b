"""Rows of the record table, read and written many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Connection, Text, and_, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from pv_testing.errors import DataError
from pv_testing.ledger.rules import Row
from pv_testing.ledger.tables import record

_COLUMNS = [record.c[name] for name in Row._fields]
_SAME_KEY = and_(*(record.c[name] == bindparam(f"_{name}") for name in ("system", "kind", "key")))
_INSERT = insert(record)
_UPDATE = update(record).where(_SAME_KEY)
_CLAIMED = (
    "state", "fingerprint", "confirmed", "doubtful", "code", "reason", "token", "owner", "lease_until", "before_state",
    "before_fingerprint",
)  # fmt: skip
_SETTLED = (
    "state", "fingerprint", "confirmed", "revision", "external_id", "doubtful", "code", "reason", "lease_until",
)  # fmt: skip


def among(connection: Connection, column: Column[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that ``column`` is one of ``values``; any number of them is one parameter."""
    if connection.dialect.name == "sqlite":
        listed = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(bindparam(None, list(values), type_=ARRAY(Text)))


def fetch(connection: Connection, system: str, kind: str, keys: Sequence[str]) -> dict[str, Row]:
    """Return what is known of the keys; those that aren't known are left out."""
    for key in keys:
        if not storable(key):
            raise DataError(f"the key {key!r} is empty or has characters that no database can keep", system=system)
    wanted = (record.c.system == system) & (record.c.kind == kind) & among(connection, record.c.key, keys)
    found = connection.execute(select(*_COLUMNS).where(wanted))
    return {row[0]: Row._make(row) for row in found}


def storable(text: str) -> bool:
    """Whether a database can keep the text as a key: neither empty, nor with NUL or half a surrogate pair."""
    if text.isascii():
        return bool(text) and "\0" not in text
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def clean(text: str) -> str:
    """Return the text with U+FFFD in place of what no database can keep."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def add(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write rows of records that the ledger didn't know."""
    values = [{"system": system, "kind": kind, "changed_at": now, **row._asdict()} for row in rows]
    if values:
        connection.execute(_INSERT, values)


def write_claimed(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write what a claim or a refusal has changed."""
    _write(connection, system, kind, rows, now, _CLAIMED)


def write_settled(connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float) -> None:
    """Write what a settlement has changed."""
    _write(connection, system, kind, rows, now, _SETTLED)


def _write(
    connection: Connection, system: str, kind: str, rows: Iterable[Row], now: float, names: Sequence[str]
) -> None:
    values = [
        {"_system": system, "_kind": kind, "_key": row.key, "changed_at": now, **{n: getattr(row, n) for n in names}}
        for row in rows
    ]
    if values:
        connection.execute(_UPDATE, values)
