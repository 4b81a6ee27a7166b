"""Ledgers to test on: SQLite in memory and in a file, and PostgreSQL where a server answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from pv_testing.ledger import Ledger

SERVER = os.environ.get("PV_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
_numbers = count(1)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Give the environment of a child process that imports the product."""
    plugins = Path(__file__).parents[3] / "plugins"
    return {**os.environ, "PYTHONPATH": str(plugins)}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the URL of a database of this session's own."""
    try:
        administrator = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server answers; PV_TEST_POSTGRESQL can name one")
    name = f"pv_ledger_test_{os.getpid()}"
    administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield f"{SERVER.rsplit('/', 1)[0]}/{name}"
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    administrator.close()


@pytest.fixture
def schema(postgresql) -> str:
    """Give the URL of an empty schema of this test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgresql}?options=-csearch_path%3D{name}"


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request, tmp_path) -> str:
    """Give the URL of an empty database that several connections can share, once of each kind."""
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return request.getfixturevalue("schema")


@pytest.fixture
def open_ledger(url) -> Iterator[Callable[[], Ledger]]:
    """Give a function that opens the same ledger as often as it is called."""
    opened: list[Ledger] = []

    def open_it() -> Ledger:
        opened.append(Ledger(url))
        return opened[-1]

    yield open_it
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger) -> Ledger:
    """Give an open, empty ledger."""
    return open_ledger()
