"""Ledgers to test on: SQLite in memory and in a file, and PostgreSQL where a server answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pv_testing.ledger import Ledger


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Give the environment of a child process that imports the product."""
    plugins = Path(__file__).parents[3] / "plugins"
    return {**os.environ, "PYTHONPATH": str(plugins)}


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
