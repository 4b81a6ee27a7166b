"""Shows that deadlines hold against a server that drips, and that nothing is begun for which no time is left."""

from __future__ import annotations

import asyncio
import time

import pytest

from pv_testing.core.errors import AmbiguousOutcome, DeadlineExceeded, Rejected
from tests.unit.transports.servers import OK, drips, is_silent, json, says

pytestmark = pytest.mark.anyio


async def drips_its_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("slow", [drips, drips_its_head, is_silent])
async def test_an_attempt_ends_in_time(serve_raw, open_session, slow):
    server = await serve_raw(slow, OK)
    session = open_session(server.address, attempt_timeout=0.4)
    started = time.monotonic()
    await session.request("GET", "/samples")
    assert 0.4 <= time.monotonic() - started < 1
    assert len(server.seen) == 2


@pytest.mark.parametrize("slow", [drips, drips_its_head, is_silent])
@pytest.mark.parametrize(("method", "error"), [("GET", DeadlineExceeded), ("POST", AmbiguousOutcome)])
async def test_all_attempts_together_end_in_time(serve_raw, open_session, slow, method, error):
    server = await serve_raw(slow)
    session = open_session(server.address, attempt_timeout=0.4, total_timeout=1.1, attempts=100)
    started = time.monotonic()
    with pytest.raises(error):
        await session.request(method, "/samples", json={})
    assert time.monotonic() - started < 1.6
    assert len(server.seen) == (1 if method == "POST" else 3)


async def test_a_request_may_have_a_deadline_of_its_own(serve_raw, open_session):
    server = await serve_raw(is_silent)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await open_session(server.address).request("GET", "/samples", timeout=0.3)
    assert 0.25 <= time.monotonic() - started < 0.6


async def test_nothing_is_sent_for_whose_answer_there_is_hardly_time(serve, open_session):
    server = await serve(json({}, 429, Retry_After="0.95"), json({"id": 1}))
    session = open_session(server.address, attempt_timeout=1)
    with pytest.raises(Exception, match="429"):
        await session.request("PUT", "/samples", json={}, timeout=1)
    assert len(server.seen) == 1


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_a_refusal_before_the_body_is_read_counts(open_session):
    done = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await done.wait()
        writer.transport.abort()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=2**10)
    session = open_session(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", attempt_timeout=2)
    started = time.monotonic()
    with pytest.raises(Rejected) as raised:
        await session.request("POST", "/samples", json={"notes": "x" * 8_000_000})
    assert raised.value.code == "HTTP_413"
    assert time.monotonic() - started < 1
    done.set()
    server.close()


async def test_a_slow_answer_in_time_is_an_answer(serve_raw, open_session):
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await says(b'{"id": 1}')(writer)

    server = await serve_raw(slowly)
    assert (await open_session(server.address, attempt_timeout=1).request("POST", "/samples", json={})).status == 200
    assert len(server.seen) == 1


async def test_an_outage_shorter_than_the_deadline_is_waited_out(serve_raw, open_session):
    server = await serve_raw(*[says(b"{}", status="503 Service Unavailable")] * 3, OK)
    assert (await open_session(server.address, attempts=4).request("PUT", "/samples", json={})).status == 200
