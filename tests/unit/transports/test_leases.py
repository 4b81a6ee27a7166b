"""Shows that nothing is written to a socket after the lease of the attempt that sends it."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from aiohttp import ClientTimeout
from aiohttp.http_writer import StreamWriter

from pv_testing.core import clock, lease
from pv_testing.core.errors import DeadlineExceeded, NetworkError
from tests.unit.transports.servers import OK, json

pytestmark = pytest.mark.anyio


async def test_a_request_that_waits_for_its_turn_until_the_lease_ends_is_not_sent(serve, open_session):
    async def slow(_):
        await asyncio.sleep(0.4)
        return json({"id": 1})

    server = await serve(slow, json({"id": 2}))
    session = open_session(server.address, concurrency=1)
    first = asyncio.ensure_future(session.request("POST", "/first"))
    await asyncio.sleep(0.1)
    with lease.until(clock.seconds() + 0.1), pytest.raises(DeadlineExceeded, match="nothing was sent"):
        await session.request("POST", "/second")
    await first
    assert [request.path for request in server.seen] == ["/first"]


async def test_a_lease_that_has_ended_lets_nothing_be_sent(serve, open_session):
    server = await serve(json({"id": 1}))
    with lease.until(clock.seconds() - 1), pytest.raises(DeadlineExceeded, match="nothing was sent"):
        await open_session(server.address).request("POST", "/samples")
    assert server.seen == []


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts a suspension")
async def test_a_machine_suspended_while_it_connects_writes_nothing(serve_raw, open_session, monkeypatch):
    boot, slept, resolve = time.clock_gettime, [0.0], socket.getaddrinfo

    def suspended(*args, **kwargs):
        slept[0] = 600.0
        return resolve(*args, **kwargs)

    server = await serve_raw(OK)
    session = open_session(server.address.replace("127.0.0.1", "localhost"))
    monkeypatch.setattr(time, "clock_gettime", lambda which: boot(which) + slept[0])
    monkeypatch.setattr(socket, "getaddrinfo", suspended)
    with lease.until(clock.seconds() + 60), pytest.raises(DeadlineExceeded, match="stood still"):
        await session.request("POST", "/samples", json={"a": 1})
    assert server.seen == []


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts a suspension")
async def test_a_machine_suspended_between_headers_and_body_writes_neither(serve_raw, open_session, monkeypatch):
    boot, slept, write = time.clock_gettime, [0.0], StreamWriter.write_headers

    async def suspended(writer, *args):
        await write(writer, *args)
        slept[0] = 600.0

    server = await serve_raw(OK)
    session = open_session(server.address)
    monkeypatch.setattr(time, "clock_gettime", lambda which: boot(which) + slept[0])
    monkeypatch.setattr(StreamWriter, "write_headers", suspended)
    with lease.until(clock.seconds() + 60), pytest.raises(DeadlineExceeded, match="stood still"):
        await session.request("POST", "/samples", json={"a": 1})
    assert server.seen == []


async def test_a_request_whose_time_is_over_before_it_has_a_connection_took_no_effect(serve_raw, open_session):
    """On a busy machine, the time for the request may end in the same turn of the loop as that for its connection."""
    server = await serve_raw(OK)
    session = open_session(server.address.replace("http:", "https:"), attempt_timeout=0.2, attempts=2)
    session._wire._within = lambda seconds: ClientTimeout(total=seconds)
    session._wire._timeout = ClientTimeout(total=0.2)
    with pytest.raises(NetworkError, match="can't be reached"):
        await session.request("POST", "/samples", json={})
    assert server.seen == []
