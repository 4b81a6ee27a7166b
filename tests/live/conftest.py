"""A running server of each product for the whole session; what this machine can't run is skipped with a clear word.

Tests that run side by side have servers of their own, so that none sees what another does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

import pytest

from tests.live.redmine.releases import FIVE, RELEASES, SIX
from tests.live.redmine.server import Server as Redmine
from tests.live.senaite.server import Server as Senaite
from tests.live.serving import LiveServer, Missing
from tests.live.tryton.server import Server as Tryton

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
# The longest first, so that none is left alone at the end.
FIRST = ("test_whole_way", "test_senaite_round_trip", "test_tryton_exactly_once", "test_redmine_exactly_once")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first."""
    items.sort(key=lambda item: _place(item.path.stem, FIRST))


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


@pytest.fixture(scope="session")
def senaite() -> Iterator[Senaite]:
    """Serve the seeded SENAITE."""
    yield from served(Senaite(WORKER))


@pytest.fixture(scope="session")
def redmine_5() -> Iterator[Redmine]:
    """Serve the seeded Redmine 5."""
    yield from served(Redmine(WORKER, release=FIVE))


@pytest.fixture(scope="session")
def redmine_6() -> Iterator[Redmine]:
    """Serve the seeded Redmine 6."""
    yield from served(Redmine(WORKER, release=SIX))


@pytest.fixture(scope="session", params=RELEASES, ids=str)
def redmine(request: pytest.FixtureRequest) -> Redmine:
    """Give the seeded Redmine of each release; both run until the end, however the tests change between them."""
    server: Redmine = request.getfixturevalue(f"redmine_{request.param.number}")
    return server


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    """Serve the seeded Tryton."""
    yield from served(Tryton(WORKER))


Kind = TypeVar("Kind", bound=LiveServer)


def served(server: Kind) -> Iterator[Kind]:
    """Give a running server, and stop it at the end."""
    try:
        server.start()
        yield server
    except Missing as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()
