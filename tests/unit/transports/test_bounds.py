"""Shows that an answer larger than allowed is an error and not a full memory, packed or not."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from functools import cache

import pytest
from aiohttp import web

from pv_testing.core.errors import AmbiguousOutcome, SecurityError
from tests.unit.transports.servers import hangs_up, json, says

pytestmark = pytest.mark.anyio
MIB = 2**20


@cache
def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(MIB)
    return b"".join(packer.compress(zeros) for _ in range(size // MIB)) + packer.flush()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def lies(writer: asyncio.StreamWriter) -> None:
    await says(b" " * 3 * MIB, length=10 * MIB)(writer)


async def explodes(writer: asyncio.StreamWriter) -> None:
    await says(bomb(512 * MIB), headers="Content-Encoding: gzip\r\n")(writer)


@pytest.mark.parametrize("talk", [endless, says(b" " * 2 * MIB), lies, explodes])
@pytest.mark.parametrize(("method", "error"), [("GET", SecurityError), ("POST", AmbiguousOutcome)])
async def test_a_large_answer_is_an_error_within_bounds_and_not_asked_for_again(
    serve_raw, open_session, talk, method, error
):
    server = await serve_raw(talk)
    session = open_session(server.address, response_bytes=MIB)
    tracemalloc.start()
    try:
        with pytest.raises(error, match="larger than 1,048,576 bytes") as raised:
            await session.request(method, "/samples", json={})
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()
    assert raised.value.code == "RESPONSE_TOO_LARGE"
    assert len(server.seen) == 1


async def test_an_answer_of_just_the_allowed_size_is_read(serve, open_session):
    content = b'"' + b"x" * (MIB - 2) + b'"'
    packed = web.Response(body=gzip.compress(content), headers={"Content-Encoding": "gzip"})
    server = await serve(web.Response(body=content), packed)
    session = open_session(server.address, response_bytes=MIB)
    assert len((await session.request("GET", "/plain")).json()) == MIB - 2
    assert len((await session.request("GET", "/packed")).json()) == MIB - 2


async def at_once(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b" " * 1_001 + b"\r\n0\r\n\r\n")
    await writer.drain()


PACKED = gzip.compress(b" " * 1_001)


@pytest.mark.parametrize("talk", [at_once, says(b" " * 1_001), says(PACKED, headers="Content-Encoding: gzip\r\n")])
async def test_an_answer_that_comes_together_with_its_head_has_the_same_bounds(serve_raw, open_session, talk):
    server = await serve_raw(talk)
    session = open_session(server.address, response_bytes=1_000)
    with pytest.raises(SecurityError, match="larger than 1,000 bytes"):
        await session.request("GET", "/samples")
    assert len(PACKED) < 100


async def test_an_answer_is_read_whole_whether_it_comes_at_once_in_pieces_or_with_nothing(serve_raw, open_session):
    async def in_pieces(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for piece in (b'{"id"', b": 42", b"}"):
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(piece)

    server = await serve_raw(says(b'{"id": 7}'), in_pieces, says(b""))
    session = open_session(server.address)
    assert (await session.request("GET", "/at-once")).json() == {"id": 7}
    assert (await session.request("GET", "/in-pieces")).json() == {"id": 42}
    assert (await session.request("GET", "/empty")).json() is None


async def test_a_head_without_end_is_an_error(serve_raw, open_session):
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            writer.write(b"x" * 0x10000)
            await writer.drain()

    server = await serve_raw(talk, hangs_up)
    with pytest.raises(Exception, match="broke off"):
        await open_session(server.address, attempts=1, attempt_timeout=2).request("GET", "/samples")


async def test_broken_packing_is_a_broken_answer(serve_raw, open_session):
    server = await serve_raw(says(b"\x1f\x8b nonsense", headers="Content-Encoding: gzip\r\n"))
    with pytest.raises(AmbiguousOutcome):
        await open_session(server.address).request("POST", "/samples", json={})
    assert len(server.seen) == 1


async def test_deep_nesting_is_not_json(serve, open_session):
    server = await serve(web.Response(body=b"[" * 100_000))
    with pytest.raises(Exception, match="not JSON"):
        await open_session(server.address, attempts=1).request("GET", "/samples")


async def test_an_error_cites_a_little_and_no_secret(serve, open_session):
    server = await serve(json({"message": "password=hunter2 " + "long " * 10_000}, 400))
    with pytest.raises(Exception, match="password=") as raised:
        await open_session(server.address).request("POST", "/samples", json={})
    assert "hunter2" not in str(raised.value)
    assert len(str(raised.value)) < 1_000
