"""Whether the ledger's tables are as the migrations made them: their keys, their guards, and nothing put in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Connection, text

from pv_testing.ledger import schema
from pv_testing.ledger.store import Store
from pv_testing.ledger.tables import metadata

_SQLITE = text(
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name LIKE 'ledger~_%' ESCAPE '~' AND sql IS NOT NULL"
)
_TABLES = tuple(sorted(metadata.tables))
_OURS = "unnest(CAST(:tables AS text[])) AS t(name) JOIN pg_class c ON c.oid = to_regclass(t.name)"
_RELATIONS = text(f"SELECT t.name, c.relkind::text, c.relpersistence::text, c.relrowsecurity FROM {_OURS}")  # noqa: S608
_COLUMNS = text(
    "SELECT t.name, a.attname, a.attnotnull, a.attnum = ANY (coalesce(p.conkey, '{}')) "  # noqa: S608
    f"FROM {_OURS} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "LEFT JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p' AND p.convalidated"
)
_TRIGGERS = text(
    "SELECT t.name, g.tgname, g.tgtype, g.tgenabled::text, f.proname, f.prosrc, pg_get_triggerdef(g.oid) "  # noqa: S608
    f"FROM {_OURS} JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal JOIN pg_proc f ON f.oid = g.tgfoid"
)
_RULES = text(f"SELECT t.name, r.rulename FROM {_OURS} JOIN pg_rewrite r ON r.ev_class = c.oid")  # noqa: S608
# Bits of pg_trigger.tgtype.
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32
_REFUSE = ("ledger_refuse", "BEGIN RAISE EXCEPTION 'the audit trail can''t be changed'; END")
_KEEP = ("ledger_keep", "BEGIN RAISE EXCEPTION 'what the ledger knows can''t be deleted'; END")
_FORWARD = "new.sequence <= old.sequence or new.id <> old.id"
_GUARDS = {
    ("ledger_audit", "ledger_audit_guard"): (_BEFORE + _UPDATE + _DELETE + _TRUNCATE, _REFUSE, ""),
    ("ledger_head", "ledger_head_guard"): (_BEFORE + _INSERT + _DELETE + _TRUNCATE, _REFUSE, ""),
    ("ledger_head", "ledger_head_forward"): (_ROW + _BEFORE + _UPDATE, _REFUSE, _FORWARD),
    ("ledger_record", "ledger_record_guard"): (_BEFORE + _DELETE + _TRUNCATE, _KEEP, ""),
    ("ledger_watermark", "ledger_watermark_guard"): (_BEFORE + _DELETE + _TRUNCATE, _KEEP, ""),
}


def differences(connection: Connection) -> Iterator[str]:
    """Name each table, key or guard that is missing, altered or added.

    Args:
        connection: to the ledger's database.
    """
    return _on_sqlite(connection) if connection.dialect.name == "sqlite" else _on_postgresql(connection)


def _on_sqlite(connection: Connection) -> Iterator[str]:
    wanted = _as_made()
    there = _described(connection)
    for name in wanted.keys() - there.keys():
        yield f"the {name} is missing"
    for name in there.keys() - wanted.keys():
        yield f"the {name} was added"
    for name in wanted.keys() & there.keys():
        if wanted[name] != there[name]:
            yield f"the {name} was altered"


@cache
def _as_made() -> dict[str, str]:
    """Return the shape of a ledger that was made just now."""
    store = Store("sqlite://")
    try:
        schema.prepare(store)
        with store.reading() as connection:
            return _described(connection)
    finally:
        store.close()


def _described(connection: Connection) -> dict[str, str]:
    rows = connection.execute(_SQLITE).all()
    return {f"{kind} {name}": " ".join(sql.split()) for kind, name, sql in rows}


def _on_postgresql(connection: Connection) -> Iterator[str]:
    given = {"tables": list(_TABLES)}
    relations = {row[0]: tuple(row[1:]) for row in connection.execute(_RELATIONS, given)}
    for name in _TABLES:
        if relations.get(name) != ("r", "p", False):
            yield f"the table {name} is missing, not kept by the server's log, or hides rows"
    yield from _columns(connection.execute(_COLUMNS, given).all())
    yield from _triggers(connection.execute(_TRIGGERS, given).all())
    for table, name in connection.execute(_RULES, given):
        yield f"the rule {name} was added to {table}"


def _columns(rows: Any) -> Iterator[str]:
    there = {(table, column): (bool(not_null), bool(key)) for table, column, not_null, key in rows}
    for name, table in metadata.tables.items():
        for column in table.columns:
            if there.pop((name, column.name), None) != (True, bool(column.primary_key)):
                yield f"the column {name}.{column.name} is missing, may be empty, or has lost its part in the key"
    for table_name, column_name in there:
        yield f"the column {table_name}.{column_name} was added"


def _triggers(rows: Any) -> Iterator[str]:
    there = {(table, name): rest for table, name, *rest in rows}
    for place, (kind, function, condition) in _GUARDS.items():
        trigger = there.pop(place, None)
        if trigger is None:
            yield f"the trigger {place[1]} is missing"
        elif not _is_as_made(trigger, kind, function, condition):
            yield f"the trigger {place[1]} was altered or disabled"
    for table, name in there:
        yield f"the trigger {name} was added to {table}"


def _is_as_made(trigger: list[Any], kind: int, function: tuple[str, str], condition: str) -> bool:
    there, enabled, name, source, definition = trigger
    _, _, when = definition.lower().partition(" when ")
    when = when.rpartition(" execute ")[0].replace("(", "").replace(")", "").strip()
    return bool(
        there == kind and enabled in {"O", "A"} and (name, " ".join(source.split())) == function and when == condition
    )
