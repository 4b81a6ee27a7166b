"""A running server of each product for the whole session; what this machine can't run is skipped with a clear word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.live.redmine.server import Server as Redmine
from tests.live.senaite.server import Server as Senaite
from tests.live.serving import LiveServer, Missing
from tests.live.tryton.server import Server as Tryton


@pytest.fixture(scope="session")
def senaite() -> Iterator[Senaite]:
    """Serve the seeded SENAITE."""
    yield from served(Senaite())


@pytest.fixture(scope="session")
def redmine() -> Iterator[Redmine]:
    """Serve the seeded Redmine."""
    yield from served(Redmine())


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    """Serve the seeded Tryton."""
    yield from served(Tryton())


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
