"""Shows, by the server's own clock, that sessions which share a limit keep it together, and tell each other."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from itertools import pairwise

import pytest
from aiohttp import web

from pv_testing.core import clock, priority
from pv_testing.core.errors import LedgerError, NetworkError, RateLimited
from pv_testing.core.priority import Priority
from pv_testing.ledger import Ledger
from pv_testing.transports.auth import Auth
from pv_testing.transports.governor import Governor, Grant, Leased, SharedLimit, TimetableStore
from pv_testing.transports.limits import Rate
from tests.bench.governor import most_in
from tests.unit.transports.servers import json

pytestmark = pytest.mark.anyio
DAY = 86_400.0


@pytest.fixture
def ledger(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@pytest.fixture
def governed(open_session, ledger):
    """Give a function that opens a session which shares a limit with all others of the test."""

    def start(address: str, limit: SharedLimit, auth: Auth | None = None, **settings):
        session = open_session(address, auth, on_pause=lambda until: ledger.pause("lims", until), **settings)
        until = lambda: ledger.paused_until("lims")  # noqa: E731
        session.throttle.govern(Governor(ledger.timetables, "lims", limit, paused_until=until))
        return session

    return start


async def many(session, number: int):
    return await asyncio.gather(*(session.request("GET", f"/samples/{place}") for place in range(number)))


async def one_after_another(session, number: int) -> None:
    for _ in range(number):
        await session.request("GET", "/other")


async def test_sessions_keep_one_rate_together(serve, governed):
    server = await serve(json({"id": 1}))
    sessions = [governed(server.address, SharedLimit(Rate(25, 1.0))) for _ in range(4)]
    began = time.monotonic()
    await asyncio.gather(*(many(session, 20) for session in sessions))
    assert len(server.seen) == 80
    assert most_in([request.at for request in server.seen]) <= 25
    assert time.monotonic() - began < 20


async def test_a_request_that_is_written_late_waits_for_another_slot(serve, governed):
    class Slow(Auth):
        async def carry(self, wire, call, headers):
            await asyncio.sleep(0.15)
            return await super().carry(wire, call, headers)

    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(5, 1.0)), Slow())
    await many(session, 6)
    times = sorted(request.at for request in server.seen)
    assert all(later - earlier >= 0.15 for earlier, later in pairwise(times))


async def test_a_wish_to_be_left_alone_holds_back_the_other_sessions_too(serve, governed):
    limit = SharedLimit(Rate(20, 1.0))
    server = await serve(json({}, 429, Retry_After="2"), json({"id": 1}))
    told, other = governed(server.address, limit), governed(server.address, limit)
    first = asyncio.ensure_future(told.request("GET", "/told"))
    await server.arrival()
    asked_at = server.seen[0].at
    await asyncio.sleep(0.5)
    await other.request("GET", "/other")
    await first
    assert min(request.at for request in server.seen[1:]) >= asked_at + 2


async def test_what_the_system_says_remains_is_told_to_the_other_sessions(serve, governed):
    limit = SharedLimit(Rate(20, 1.0))

    async def handle(_: web.Request) -> web.Response:
        return json({}, 200, X_RateLimit_Remaining="0", X_RateLimit_Reset="3600")

    server = await serve(handle)
    told, other = governed(server.address, limit), governed(server.address, limit, total_timeout=2.0)
    await told.request("GET", "/told")
    await asyncio.sleep(0.5)
    with pytest.raises(RateLimited, match="limit is used up; it goes on at 20") as caught:
        await other.request("GET", "/other")
    assert 3500 < caught.value.retry_after <= 3600
    assert server.paths() == ["/told"]


async def test_a_quota_that_is_used_up_says_when_it_goes_on_and_nothing_is_sent(serve, governed):
    server = await serve(json({"id": 1}))
    limit = SharedLimit(None, (Rate(5, DAY),), reserve=0.4)
    backfill, normal = (governed(server.address, limit, total_timeout=2.0) for _ in range(2))
    with priority.using(Priority.BACKFILL):
        await many(backfill, 3)
        with pytest.raises(RateLimited, match="3 requests in 24 h are used up"):
            await many(backfill, 1)
    await many(normal, 2)
    with pytest.raises(RateLimited, match="5 requests in 24 h are used up; it goes on at 20") as caught:
        await many(normal, 1)
    assert caught.value.retry_after > 23 * 3600
    assert len(server.seen) == 5


async def test_a_replay_passes_a_backfill(serve, governed):
    server = await serve(json({"id": 1}))
    limit = SharedLimit(Rate(20, 1.0))
    backfill, replay = (governed(server.address, limit) for _ in range(2))

    async def ask(session, path: str, number: int, kind: Priority) -> None:
        with priority.using(kind):
            await asyncio.gather(*(session.request("GET", path) for _ in range(number)))

    behind = asyncio.ensure_future(ask(backfill, "/backfill", 80, Priority.BACKFILL))
    await server.arrival()
    await ask(replay, "/replay", 30, Priority.REPLAY)
    paths = server.paths()
    assert paths.count("/backfill") < 60
    await behind
    assert server.paths().count("/backfill") == 80


async def test_a_request_whose_connection_takes_a_while_keeps_its_slot_where_slots_lie_far_apart(serve, governed):
    class Slow(Auth):
        async def carry(self, wire, call, headers):
            await asyncio.sleep(0.15)
            return await super().carry(wire, call, headers)

    server = await serve(json({"id": 1}))
    await governed(server.address, SharedLimit(Rate(1, 3600.0)), Slow(), total_timeout=5.0).request("GET", "/slow")
    assert server.paths() == ["/slow"]


async def test_no_request_waits_for_a_slot_after_its_deadline_and_the_next_one_gets_that(serve, governed):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(1, 4.0)))
    await session.request("GET", "/first")
    began = time.monotonic()
    hurried = asyncio.ensure_future(session.request("GET", "/hurried", timeout=1.0))
    patient = asyncio.ensure_future(session.request("GET", "/patient"))
    with pytest.raises(RateLimited) as caught:
        await hurried
    assert time.monotonic() - began < 2.5
    assert 1 <= caught.value.retry_after <= 4.5
    await patient
    assert server.paths() == ["/first", "/patient"]
    assert time.monotonic() - began < 7


async def test_a_request_that_is_cancelled_in_line_leaves_its_slot_to_the_next_one(serve, governed):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(1, 3.0)))
    await session.request("GET", "/first")
    began = time.monotonic()
    cancelled = asyncio.ensure_future(session.request("GET", "/cancelled"))
    await asyncio.sleep(0.5)
    cancelled.cancel()
    await session.request("GET", "/next")
    assert server.paths() == ["/first", "/next"]
    assert time.monotonic() - began < 5


async def test_requests_in_line_end_at_once_when_their_session_is_closed(serve, governed):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(1, 30.0)))
    await session.request("GET", "/first")
    waiting = [asyncio.ensure_future(session.request("GET", "/later")) for _ in range(3)]
    await asyncio.sleep(0.3)
    await session.aclose()
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [str(answer.message) for answer in answers] == ["the session was closed; nothing was sent"] * 3
    with pytest.raises(NetworkError, match="closed"):
        await asyncio.wait_for(session.request("GET", "/after"), 5)
    assert server.paths() == ["/first"]


@pytest.mark.parametrize("remaining", ["0", "4"])
async def test_what_the_system_says_last_is_told_to_the_others_though_the_session_ends(serve, governed, remaining):
    server = await serve(json({}, 200, X_RateLimit_Remaining=remaining, X_RateLimit_Reset="3600"), json({"id": 1}))
    limit = SharedLimit(Rate(20, 1.0))
    short = governed(server.address, limit)
    await short.request("GET", "/short")
    await short.aclose()
    other = governed(server.address, limit, total_timeout=2.0)
    with pytest.raises(RateLimited, match="limit is used up"):
        await one_after_another(other, 8)
    assert len(server.seen) - 1 <= int(remaining) <= len(server.seen)


async def test_each_request_has_an_error_of_its_own_when_the_ledger_fails(serve, governed, ledger, tmp_path):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(20, 1.0)))
    session.throttle.governor._paused_until = lambda: 0.0
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("DROP TABLE ledger_timetable")
    asked = [session.request("GET", "/", key=key) for key in ("SN1", "SN2", "SN3")]
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [(type(error), error.key) for error in errors] == [(LedgerError, key) for key in ("SN1", "SN2", "SN3")]


async def test_a_pause_takes_no_slot_and_is_over_by_the_clock_of_the_store(ledger):
    late = LateClock(ledger.timetables, 60.0)
    limit = SharedLimit(Rate(20, 1.0), (Rate(5, DAY),))
    told: list[float] = []
    governor = Governor(late, "lims", limit, paused_until=lambda: time.time() - 30, on_pause=told.append)
    assert await governor.take(clock.seconds() + 5) == 0
    await governor.aclose()
    assert told == [pytest.approx(time.time() + 30, abs=5)]
    assert sum(late.state["counts"][f"{DAY:g}"].values()) == 0


class LateClock:
    """A store whose clock is so many seconds behind that of this host."""

    def __init__(self, store: TimetableStore, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self.state: dict = {}

    def change(self, system: str, change) -> Leased:
        def late(state, now):
            self.state, grant = change(state, now - self._seconds)
            return self.state, grant

        leased = self._store.change(system, late)
        return leased._replace(now=leased.now - self._seconds)

    def close(self) -> None:
        self._store.close()


async def test_a_class_that_has_something_left_isnt_refused_with_one_that_has_not(serve, governed):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(None, (Rate(4, DAY),), reserve=0.5), total_timeout=8.0)
    with priority.using(Priority.BACKFILL), pytest.raises(RateLimited, match="2 requests"):
        await many(session, 3)
    await many(session, 2)
    assert len(server.seen) == 4


async def test_requests_that_are_spread_out_after_a_refusal_take_a_slot_each_and_no_more(serve, governed, ledger):
    server = await serve(*[json({}, 429)] * 6, json({"id": 1}))
    session = governed(server.address, SharedLimit(None, (Rate(1000, DAY),)))
    await many(session, 16)
    counted: list[int] = []

    def look(state, _):
        counted.append(sum(state["counts"][f"{DAY:g}"].values()))
        return state, Grant()

    ledger.timetables.change("lims", look)
    assert len(server.seen) == 22
    assert counted[0] <= 24


async def test_a_person_sees_that_a_system_calls_its_limit_used_up_and_has_it_asked_again(serve, governed, ledger):
    server = await serve(json({}, 200, X_RateLimit_Remaining="0", X_RateLimit_Reset="80000"), json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(20, 1.0)), total_timeout=2.0)
    await session.request("GET", "/wrong")
    await asyncio.sleep(0.5)
    with pytest.raises(RateLimited, match="limit is used up"):
        await session.request("GET", "/refused")
    assert ledger.paused() == {"lims": pytest.approx(time.time() + 80000, abs=60)}
    assert ledger.resume("lims", owner="test") == pytest.approx(time.time() + 80000, abs=60)
    assert ledger.paused() == {}
    assert ledger.resume("lims", owner="test") == 0
    assert [event.action for event in ledger.events()][-1] == "resume"
    ledger.verify()
    await governed(server.address, SharedLimit(Rate(20, 1.0))).request("GET", "/again")
    assert server.paths() == ["/wrong", "/again"]


async def test_a_request_that_is_late_in_every_slot_is_not_said_to_have_found_no_system(serve, governed):
    class Slow(Auth):
        async def carry(self, wire, call, headers):
            await asyncio.sleep(0.3)
            return await super().carry(wire, call, headers)

    server = await serve(json({"id": 1}))
    session = governed(
        server.address, SharedLimit(Rate(1, 4.0)), Slow(), attempt_timeout=1.0, total_timeout=8.0, breaker_failures=1
    )
    with pytest.raises(RateLimited, match="nothing was sent"):
        await session.request("GET", "/late")
    assert session.throttle.breaker.closed
    assert server.seen == []


async def test_a_lower_class_takes_no_slots_in_the_name_of_a_higher_one_of_its_session(serve, governed):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(None, (Rate(10, DAY),), reserve=0.8), total_timeout=2.0)

    async def ask(kind: Priority, path: str) -> None:
        with priority.using(kind):
            await session.request("GET", path)

    behind = [ask(Priority.BACKFILL, "/backfill") for _ in range(6)]
    await asyncio.gather(ask(Priority.NORMAL, "/normal"), *behind, return_exceptions=True)
    assert server.paths().count("/normal") == 1
    assert server.paths().count("/backfill") <= 2


async def test_a_request_that_gets_no_slot_because_the_ledger_is_locked_says_so(serve, governed, tmp_path):
    server = await serve(json({"id": 1}))
    session = governed(server.address, SharedLimit(Rate(20, 1.0)), total_timeout=4.0)
    with sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(RateLimited, match="has not answered"):
            await session.request("GET", "/")
        connection.execute("ROLLBACK")
    await session.request("GET", "/after")
    assert server.paths() == ["/after"]
