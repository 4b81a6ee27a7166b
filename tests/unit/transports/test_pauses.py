"""Shows, by the server's own clock, that no request comes before the system wants one, nor more than its quota."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from pv_testing.core.classification import Classification, classify_http
from pv_testing.core.errors import (
    AmbiguousOutcome,
    CircuitOpen,
    DeadlineExceeded,
    LedgerError,
    NetworkError,
    RateLimited,
    Rejected,
)
from pv_testing.core.response import Response
from pv_testing.transports.limits import Rate
from tests.unit.transports.servers import OK, hangs_up, is_silent, json

pytestmark = pytest.mark.anyio
TOLERANCE = 0.05


async def many(session, number: int, method: str = "PUT"):
    return await asyncio.gather(*(session.request(method, f"/samples/{place}", json={}) for place in range(number)))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_to_be_left_alone_holds_back_every_request_of_the_session(serve, open_session, status):
    asked_at: list[float] = []

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/samples/3" and not asked_at:
            asked_at.append(time.time())
            return json({}, status, Retry_After="1")
        await asyncio.sleep(0.05)
        return json({"id": 1})

    told: list[float] = []
    server = await serve(handle)
    session = open_session(server.address, concurrency=4, on_pause=told.append)
    assert len(await many(session, 16)) == 16
    await session.aclose()
    until = asked_at[0] + 1
    before = [request for request in server.seen if request.at <= asked_at[0] + TOLERANCE]
    after = [request for request in server.seen if request.at > asked_at[0] + TOLERANCE]
    assert len(before) <= 4
    assert len(after) == 17 - len(before)
    assert min(request.at for request in after) >= until
    assert len(told) == 1
    assert until <= told[0] <= until + 1 + TOLERANCE


async def test_one_that_waits_in_line_for_a_slot_hears_of_the_wish_too(serve, open_session):
    server = await serve(json({}, 429, Retry_After="0.5"), json({"id": 1}))
    await many(open_session(server.address, concurrency=1), 3)
    first, *others = [request.at for request in server.seen]
    assert len(others) == 3
    assert min(others) >= first + 0.5


async def test_a_wish_told_to_an_earlier_process_is_honoured(serve, open_session):
    server = await serve(json({"id": 1}))
    until = time.time() + 0.4
    await many(open_session(server.address, not_before=until), 4)
    assert min(request.at for request in server.seen) >= until - 0.001


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_beyond_the_deadline_is_raised_at_once_with_the_time_that_remains(serve, open_session, status):
    told: list[float] = []
    server = await serve(json({}, status, Retry_After="30"))
    session = open_session(server.address, total_timeout=5, on_pause=told.append)
    started = time.time()
    for _ in range(2):
        with pytest.raises(RateLimited) as raised:
            await session.request("PUT", "/samples", json={})
        assert 29 < raised.value.retry_after <= 30
    assert time.time() - started < 1
    assert len(server.seen) == 1
    await session.aclose()
    assert started + 30 <= told[0] <= started + 32


async def test_who_has_no_attempt_left_is_told_how_long_to_wait(serve, open_session):
    server = await serve(json({}, 503, Retry_After="1"))
    with pytest.raises(RateLimited) as raised:
        await open_session(server.address, attempts=1).request("PUT", "/samples", json={})
    assert raised.value.retry_after == 1


async def test_a_billion_seconds_are_a_day(serve, open_session):
    told: list[float] = []
    server = await serve(json({}, 429, Retry_After="1000000000"))
    session = open_session(server.address, on_pause=told.append)
    with pytest.raises(RateLimited) as raised:
        await session.request("GET", "/samples")
    assert raised.value.retry_after == 86_400
    await session.aclose()
    assert told[0] == pytest.approx(time.time() + 86_400, abs=3)


@pytest.mark.parametrize("delay", ["soon", "-3", "nan"])
async def test_a_wish_that_makes_no_sense_is_a_backoff(serve, open_session, delay):
    told: list[float] = []
    server = await serve(json({}, 429, Retry_After=delay), json({"id": 1}))
    session = open_session(server.address, on_pause=told.append, backoff=0.2)
    await session.request("PUT", "/samples", json={})
    await session.aclose()
    first, second = (request.at for request in server.seen)
    assert 0.1 <= second - first <= 0.2 + TOLERANCE
    assert told == []


async def test_a_system_that_is_busy_for_good_is_left_after_the_attempts(serve, open_session):
    server = await serve(json({"error": {"message": "slow down"}}, 429))
    with pytest.raises(RateLimited, match="slow down") as raised:
        await open_session(server.address, attempts=3).request("PUT", "/samples", json={})
    assert len(server.seen) == 3
    assert raised.value.retry_after > 0


async def test_no_period_holds_more_than_the_quota_at_the_server(serve, open_session):
    server = await serve(json({}, 503, Retry_After="0.3"), json({"id": 1}))
    session = open_session(server.address, rate=Rate(5, 0.25), concurrency=8)
    await many(session, 20)
    times = sorted(request.at for request in server.seen)
    assert len(times) == 21
    assert all(later - earlier >= 0.25 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] < 3


async def test_a_quota_that_leaves_no_time_sends_nothing_and_takes_nobodys_slot(serve, open_session):
    server = await serve(json({"id": 1}))
    session = open_session(server.address, rate=Rate(1, 0.5), concurrency=1)
    await session.request("POST", "/samples", json={})
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="nothing was sent"):
        await session.request("POST", "/samples", json={}, timeout=0.3)
    waiting = asyncio.ensure_future(session.request("POST", "/samples", json={}))
    await asyncio.sleep(0)
    assert time.monotonic() - started < 0.2
    waiting.cancel()
    await session.request("POST", "/samples", json={}, timeout=2)
    assert len(server.seen) == 2


async def test_who_has_no_time_for_a_wish_does_not_wait_in_line_for_those_who_have(serve, open_session):
    server = await serve(json({"id": 1}))
    session = open_session(server.address, concurrency=1, not_before=time.time() + 0.5)
    patient = asyncio.ensure_future(session.request("POST", "/samples", json={}))
    await asyncio.sleep(0)
    started = time.monotonic()
    with pytest.raises(RateLimited):
        await session.request("POST", "/samples", json={}, timeout=0.3)
    assert time.monotonic() - started < 0.1
    assert (await patient).status == 200


async def test_no_more_requests_at_a_time_than_allowed(serve, open_session):
    under_way, most = 0, 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return json({"id": 1})

    server = await serve(handle)
    await many(open_session(server.address, concurrency=3), 30)
    assert most == 3


async def test_waiting_for_others_ends_with_the_own_deadline(serve_raw, open_session):
    server = await serve_raw(is_silent)
    session = open_session(server.address, concurrency=1, attempt_timeout=2, attempts=1)
    occupying = asyncio.ensure_future(session.request("GET", "/slow"))
    await server.arrival()
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="nothing was sent"):
        await session.request("POST", "/samples", json={}, timeout=0.3)
    assert time.monotonic() - started < 0.6
    assert len(server.seen) == 1
    occupying.cancel()


async def test_a_system_that_fails_is_left_alone_then_tried_by_one_request_and_back(serve_raw, open_session):
    server = await serve_raw(*[hangs_up] * 4, OK)
    session = open_session(server.address, breaker_failures=4, breaker_reset=0.3, attempts=1, concurrency=16)
    for _ in range(4):
        with pytest.raises(NetworkError):
            await session.request("GET", "/samples")
    opened = server.seen[-1].at
    with pytest.raises(CircuitOpen):
        await session.request("GET", "/samples", timeout=0.1)
    assert len(server.seen) == 4
    await many(session, 8, "GET")
    times = sorted(request.at for request in server.seen[4:])
    assert len(times) == 8
    assert times[0] >= opened + 0.3 - 0.001
    assert times[1] - times[0] > 0.001


async def test_a_try_that_fails_leaves_the_system_alone_once_more(serve_raw, open_session):
    server = await serve_raw(hangs_up)
    session = open_session(server.address, breaker_failures=2, breaker_reset=0.2, attempts=1)
    started = time.time()
    for _ in range(4):
        with pytest.raises(NetworkError):
            await session.request("GET", "/samples")
    times = [request.at - started for request in server.seen]
    assert times[1] < 0.1
    assert times[2] - times[1] >= 0.199
    assert times[3] - times[2] >= 0.199


async def test_refusals_are_answers_and_open_no_breaker(serve, open_session):
    server = await serve(*[json({}, 500), json({"message": "no"}, 422)] * 4)
    session = open_session(server.address, breaker_failures=2, breaker_reset=60, attempts=1)
    for _ in range(4):
        with pytest.raises(AmbiguousOutcome):
            await session.request("POST", "/samples", json={})
        with pytest.raises(Rejected, match="no"):
            await session.request("POST", "/samples", json={})


async def test_a_wish_is_an_answer_and_opens_no_breaker(serve, open_session):
    server = await serve(*[json({}, 429)] * 3, json({"id": 1}))
    session = open_session(server.address, breaker_failures=2, breaker_reset=60)
    assert (await session.request("PUT", "/samples", json={})).status == 200


@pytest.mark.parametrize("ending", ["cancelled", "too large", "refused"])
async def test_the_try_may_end_in_any_way_and_another_one_follows(serve_raw, serve, open_session, ending):
    async def end(request: web.Request) -> web.Response:
        if ending == "cancelled":
            await asyncio.sleep(60)
        return json({"x": "x" * 2_000} if ending == "too large" else {}, 403 if ending == "refused" else 200)

    server = await serve(json({}, 500), end, json({"id": 1}))
    session = open_session(
        server.address, breaker_failures=1, breaker_reset=0.05, attempts=1, response_bytes=1_000, total_timeout=2
    )
    with pytest.raises(NetworkError):
        await session.request("GET", "/first")
    trying = asyncio.ensure_future(session.request("GET", "/second"))
    await server.arrival(2)
    if ending == "cancelled":
        trying.cancel()
    assert isinstance((await asyncio.gather(trying, return_exceptions=True))[0], BaseException)
    assert (await session.request("GET", "/third")).json() == {"id": 1}


async def test_a_wish_that_cannot_be_kept_does_not_take_the_place_of_what_happened(serve, open_session, caplog):
    def locked(_: float) -> None:
        raise LedgerError("the database is locked")

    server = await serve(json({}, 500, Retry_After="1"))
    session = open_session(server.address, on_pause=locked)
    with pytest.raises(AmbiguousOutcome):
        await session.request("POST", "/samples", json={})
    await session.aclose()
    assert len(server.seen) == 1
    assert "the database is locked" in caplog.text


async def test_nothing_stands_still_while_a_wish_is_kept(serve, open_session):
    told: list[float] = []

    def slow(until: float) -> None:
        time.sleep(0.5)
        told.append(until)

    server = await serve(json({}, 429, Retry_After="0.01"), json({"id": 1}))
    session = open_session(server.address, on_pause=slow)
    started = time.monotonic()
    await session.request("PUT", "/samples", json={})
    assert time.monotonic() - started < 0.4
    await session.aclose()
    assert len(told) == 1


async def test_of_several_wishes_the_last_is_kept_for_sure(serve, open_session):
    told: list[float] = []
    server = await serve(json({}, 429, Retry_After="2"), json({}, 429, Retry_After="30"))
    session = open_session(server.address, on_pause=told.append, attempts=1)
    started = time.time()
    gone = await asyncio.gather(*(session.request("GET", "/a") for _ in range(2)), return_exceptions=True)
    assert all(isinstance(error, RateLimited) for error in gone)
    await session.aclose()
    assert max(told) == told[-1] >= started + 30


async def test_a_limit_on_one_record_holds_back_its_request_alone(serve, open_session):
    refused: list[float] = []

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/samples/0" and not refused:
            refused.append(time.time())
            return json({}, 429, Retry_After="1")
        return json({"id": 1})

    def alone(response: Response, repeatable: bool) -> Classification:
        meant = classify_http(response, repeatable)
        return meant._replace(promised=True, alone=True) if response.status == 429 else meant

    server = await serve(handle)
    told: list[float] = []
    session = open_session(server.address, concurrency=1, on_pause=told.append)
    limited = asyncio.create_task(session.request("PUT", "/samples/0", json={}, classify=alone))
    await asyncio.sleep(0.2)
    await many(session, 3)
    assert not limited.done()
    await limited
    await session.aclose()
    again = [request.at for request in server.seen if request.path == "/samples/0"]
    assert again[-1] >= refused[0] + 1 - TOLERANCE
    assert not told
