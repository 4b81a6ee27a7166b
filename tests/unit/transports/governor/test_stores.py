"""A timetable is changed in one transaction, wherever it is kept, and by the clock of its store."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.core.priority import Priority
from pv_testing.ledger.tables import timetable
from pv_testing.ledger.timetables import LedgerTimetables
from pv_testing.transports.governor import Ask, Grant, SharedLimit, lease
from pv_testing.transports.limits import Rate


def test_no_change_is_lost_when_many_change_one_timetable_at_the_same_time(open_store) -> None:
    stores = [open_store() for _ in range(6)]

    def add(store) -> None:
        for _ in range(20):
            store.change("lims", lambda state, _: ({"next": state.get("next", 0) + 1}, Grant()))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, stores))
    assert stores[0].change("lims", lambda state, _: (state, Grant((state["next"],)))).grant.slots == (120,)
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


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "words for numbers": '{"next": "later"}',
    "requesters of another shape": '{"active": {"a": 1}}',
    "counts of another shape": '{"counts": {"3600": {"a": "b"}}}',
    "counts that are words": '{"counts": {"3600": {"500000": "b"}}}',
    "half of it": '{"at": 1.0, "next": 1.0, "lower": 0.0, "active": {"a"',
    "no number": '{"next": NaN}',
    "too large": '{"next": 0, "active": {"' + "a" * 2_000_000 + '": [1, 2]}}',
    "a moment that no calendar has": '{"told": [0, 1e300]}',
}


def put(store, kept: str) -> None:
    if isinstance(store, LedgerTimetables):
        with store._store.exclusive() as connection:
            connection.execute(update(timetable).values(state=kept))
    else:
        store._redis.set("pv_testing:timetable:lims", kept)


@pytest.mark.parametrize("kept", BROKEN.values(), ids=BROKEN)
def test_a_timetable_that_cannot_be_read_begins_anew_and_the_log_says_so(open_store, caplog, kept: str) -> None:
    store = open_store()
    ask = Ask("a", Priority.NORMAL, 3)
    limit = SharedLimit(Rate(20, 1.0), (Rate(100, 3600.0),))
    store.change("lims", lambda state, now: lease(state, now, ask, limit))
    put(store, kept)
    leased = store.change("lims", lambda state, now: lease(state, now, ask, limit))
    assert len(leased.grant.slots) == 3
    assert leased.grant.slots[0] <= leased.now + 5
    assert "lims" in caplog.text
    assert "begins anew" in caplog.text
    assert len(caplog.text) < 2_000
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret/word@127.0.0.1:6379/0",
        "redis://user:s3cret@127.0.0.1:port/0",
        "redis://:s3cret@[::1",
        "redis://:s3cret@127.0.0.1/0?db=s3cret",
        "redis://:s3cret@127.0.0.1/0?socket_timeout=s3cret",
        "redis://127.0.0.1/0?unknown=s3cret",
        "redis://127.0.0.1:1000000/0?password=s3cret",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_and_its_password_not_shown(url: str) -> None:
    pytest.importorskip("redis", reason="the package redis is not installed")
    from pv_testing.transports.governor.redis_store import RedisTimetables

    with pytest.raises((ConfigError, NetworkError)) as caught:
        RedisTimetables(url).change("lims", lambda state, _: (state, Grant()))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
