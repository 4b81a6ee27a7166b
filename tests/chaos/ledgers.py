"""New, empty ledgers on SQLite, and on PostgreSQL where a server answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.conftest import SERVER

SQLITE, POSTGRESQL = "sqlite", "postgresql"


def databases() -> list[str]:
    """Return the kinds of database that there are here."""
    try:
        psycopg.connect(SERVER, connect_timeout=3).close()
    except psycopg.OperationalError:
        return [SQLITE]
    return [SQLITE, POSTGRESQL]


@contextmanager
def new_ledger(database: str, directory: Path) -> Iterator[str]:
    """Give the address of an empty ledger.

    Args:
        database: the kind.
        directory: for a file.
    """
    if database == SQLITE:
        yield f"sqlite:///{directory / 'ledger.sqlite'}"
        return
    name = f"pv_chaos_{os.getpid()}_{uuid4().hex[:8]}"
    with psycopg.connect(SERVER, autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield f"{SERVER.rsplit('/', 1)[0]}/{name}"
        finally:
            administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
