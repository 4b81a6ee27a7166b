"""Bring a database to the newest form of the ledger, whoever comes first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Connection, event, inspect, text

from pv_testing.core.errors import LedgerError
from pv_testing.core.reasons import Reason
from pv_testing.ledger.failures import place, understood
from pv_testing.ledger.store import BUSY_SECONDS, Store

VERSION = "0004"
VERSION_TABLE = "ledger_version"
_ADVISORY_LOCK = 0x70765F6C6564676572 & 0x7FFFFFFFFFFFFFFF
_FIND_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
_STATEMENTS: dict[str, list[tuple[str, Any]]] = {}
"""By dialect, the statements that the migrations sent to an empty database; Alembic takes 50 ms to make them again."""


def prepare(store: Store) -> None:
    """Create the ledger's tables or migrate them; several processes may do so at once.

    Raises:
        LedgerError: the database can't be used, or a newer release has migrated it.
    """
    with store.reading() as connection:
        version = _version(connection)
    if version == VERSION:
        return
    if store.sqlite and not store.memory:
        _write_ahead(store)
    with store.exclusive() as connection:
        if not store.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        if not inspect(connection).has_table(VERSION_TABLE):
            _make(connection, store)
        elif _version(connection) != VERSION:
            _migrate(connection, store)


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.scalar(_FIND_VERSION) or "")


def _write_ahead(store: Store) -> None:
    """Switch an SQLite file to write-ahead logging; SQLite itself doesn't wait for a lock here."""
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

    locked = retry_if_exception(lambda error: isinstance(error, sqlite3.OperationalError) and "locked" in str(error))
    with understood(store.url):
        for attempt in Retrying(retry=locked, wait=wait_fixed(0.02), stop=stop_after_delay(BUSY_SECONDS), reraise=True):
            with attempt, closing(store.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA journal_mode = WAL")


def _make(connection: Connection, store: Store) -> None:
    """Run all migrations, or repeat what they sent to the first empty database of this process."""
    if known := _STATEMENTS.get(connection.dialect.name):
        for statement, parameters in known:
            connection.exec_driver_sql(statement, parameters)
        return
    with _sent(connection) as statements:
        _migrate(connection, store)
    _STATEMENTS[connection.dialect.name] = statements


@contextmanager
def _sent(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Give the list of the statements that the connection sends meanwhile, but for those that only read."""
    statements: list[tuple[str, Any]] = []

    def keep(_: Connection, __: object, statement: str, parameters: Any, *___: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", keep)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", keep)


def _migrate(connection: Connection, store: Store) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "pv_testing.ledger:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise LedgerError(
            f"the ledger at {place(store.url)} was made by a newer release: update this installation",
            code=Reason.LEDGER_NEWER,
        ) from None
