"""Each kind of store that answers, empty."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from pv_testing.ledger import Ledger
from pv_testing.transports.governor import TimetableStore

SERVER = os.environ.get("PV_TEST_REDIS", "redis://127.0.0.1:6379")
REDIS = f"{SERVER}/{8 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')) % 8}"
"""A database for each process that runs tests."""


@pytest.fixture
def redis_url() -> str:
    """Give the URL of an empty database of a Redis."""
    redis = pytest.importorskip("redis", reason="the package redis is not installed")
    client = redis.Redis.from_url(REDIS)
    try:
        client.delete("pv_testing:timetable:lims")
    except redis.exceptions.ConnectionError:
        pytest.skip("no Redis answers; PV_TEST_REDIS can name one")
    client.close()
    return REDIS


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.postgres), "redis"])
def open_store(request, tmp_path) -> Iterator[Callable[[], TimetableStore]]:
    """Give a function that opens the same store as often as it is called, as several processes would."""
    opened: list[Ledger] = []

    def open_it() -> TimetableStore:
        if request.param == "redis":
            from pv_testing.transports.governor.redis_store import RedisTimetables

            return RedisTimetables(url)
        opened.append(Ledger(url))
        return opened[-1].timetables

    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
    else:
        url = f"sqlite:///{tmp_path / 'l.sqlite'}" if request.param == "file" else request.getfixturevalue("schema")
    yield open_it
    for ledger in opened:
        ledger.close()
