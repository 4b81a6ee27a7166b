"""A running server of each product for the whole session; what this machine can't run is skipped with a clear word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.redmine.server import Server as Redmine
from tests.live.senaite.server import Missing, Server
from tests.live.tryton.server import Server as Tryton


@pytest.fixture(scope="session")
def senaite() -> Iterator[Server]:
    """Serve the seeded SENAITE."""
    server = Server()
    try:
        server.start()
        yield server
    except Missing as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redmine() -> Iterator[Redmine]:
    """Serve the seeded Redmine."""
    server = Redmine()
    try:
        server.start()
        yield server
    except Missing as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    """Serve the seeded Tryton."""
    server = Tryton()
    try:
        server.start()
        yield server
    except Missing as missing:
        pytest.skip(str(missing))
    finally:
        server.stop()
