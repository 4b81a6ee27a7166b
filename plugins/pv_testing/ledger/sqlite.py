"""What the ledger asks of SQLite: durable commits, and a write lock for which all processes wait alike."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection

_CACHE_KIB = 64 * 1024
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    "PRAGMA wal_autocheckpoint = 4000",
)
_PAUSE = 0.001, 0.008
"""Seconds between two attempts to get the lock, by chance, so that waiting processes do not ask in step."""


def prepare(connection: sqlite3.Connection, _: object) -> None:
    """Set up a new connection."""
    connection.isolation_level = None  # the driver leaves BEGIN to us
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def begin(seconds: float, connection: Connection) -> None:
    """Begin a transaction; one that writes takes the write lock first.

    Args:
        seconds: how long to wait for the write lock.
        connection: of SQLAlchemy; its execution option ``writing`` says what is wanted.

    Raises:
        sqlite3.OperationalError: the lock was not free in that time.
    """
    link: Any = connection.connection.dbapi_connection
    if not connection.get_execution_options().get("writing", False):
        link.execute("BEGIN")
        return
    link.execute("PRAGMA busy_timeout = 0")
    try:
        _take_lock(link, time.monotonic() + seconds)
    finally:
        link.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")


def _take_lock(link: sqlite3.Connection, deadline: float) -> None:
    """Ask for the write lock every few milliseconds.

    SQLite's own wait asks ever more seldom, at last every 100 ms. A process that has waited long then meets a busy
    lock each time, and those that came later pass it: 4 s were seen beside two processes that write much.
    """
    while not _try_lock(link, deadline):
        time.sleep(random.uniform(*_PAUSE))  # noqa: S311 (no secret)


def _try_lock(link: sqlite3.Connection, deadline: float) -> bool:
    """Return whether the lock was free; raise where it was not and the time is over."""
    try:
        link.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() > deadline:
            raise
        return False
    return True
