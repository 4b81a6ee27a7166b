"""A running SENAITE for the whole session; without Python 2.7 the live tests are skipped with a clear word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.senaite.server import Missing, Server


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
