"""A timetable is changed in one transaction, wherever it is kept, and by the clock of its store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.transports.governor import Grant


def test_no_change_is_lost_when_many_change_one_timetable_at_the_same_time(open_store) -> None:
    stores = [open_store() for _ in range(6)]

    def add(store) -> None:
        for _ in range(20):
            store.change("lims", lambda state, _: ({"number": state.get("number", 0) + 1}, Grant()))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, stores))
    assert stores[0].change("lims", lambda state, _: (state, Grant((state["number"],)))).grant.slots == (120,)
    for store in stores:
        store.close()


def test_the_clock_is_that_of_the_store(open_store) -> None:
    store = open_store()
    assert store.change("lims", lambda state, now: (state, Grant((now,)))).now == pytest.approx(time.time(), abs=5)
    store.close()


@pytest.mark.parametrize(
    "url", ["redis://redis.company.com/0", "http://127.0.0.1", "rediss://r.company.com/?ssl_cert_reqs=none"]
)
def test_a_redis_is_not_reached_without_tls_on_another_machine(url: str) -> None:
    pytest.importorskip("redis", reason="the package redis is not installed")
    from pv_testing.transports.governor.redis_store import RedisTimetables

    with pytest.raises(ConfigError, match="redis_url"):
        RedisTimetables(url)


def test_a_redis_that_does_not_answer_means_that_nothing_was_sent() -> None:
    pytest.importorskip("redis", reason="the package redis is not installed")
    from pv_testing.transports.governor.redis_store import RedisTimetables

    with pytest.raises(NetworkError, match="nothing was sent"):
        RedisTimetables("redis://127.0.0.1:1/0").change("lims", lambda state, _: (state, Grant()))
