"""Servers that keep what came and when: one that speaks HTTP properly, one that says what it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from typing_extensions import Self

Answer = web.StreamResponse | Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """A request that came.

    Attributes:
        at: ``time.time()`` at which its last byte came.
    """

    at: float
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Server:
    """Keeps what came.

    Attributes:
        seen: the requests in the order in which they came.
        address: where they come to.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.address = ""
        self._came = asyncio.Event()

    def paths(self) -> list[str]:
        return [request.path for request in self.seen]

    def note(self, request: Seen) -> None:
        self.seen.append(request)
        self._came.set()

    async def arrival(self, number: int = 1) -> None:
        """Wait until so many requests have come."""
        while len(self.seen) < number:
            self._came.clear()
            await self._came.wait()


class WebServer(Server):
    """An HTTP server; it gives its answers in turn and repeats the last one.

    Args:
        answers: responses, or handlers that make them.
        tls: context of its TLS, if it has any.
    """

    def __init__(self, answers: Sequence[Answer], tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._answers = list(answers)
        self._tls = tls

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        scheme = "http" if self._tls is None else "https"
        self.address = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.note(Seen(time.time(), request.method, request.path, request.query, request.headers, body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(answer):
            return await answer(request)
        assert isinstance(answer, web.Response)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


class RawServer(Server):
    """A server that takes requests whole and then says what it is told to; it repeats its last talk.

    Args:
        talks: what to do with the connection after each request; it is closed when a talk ends with an error.
    """

    def __init__(self, talks: Sequence[Talk]) -> None:
        super().__init__()
        self._talks = list(talks)
        self._connections: set[asyncio.StreamWriter] = set()
        self._port = 0

    def at(self, port: int) -> Self:
        """Choose the port."""
        self._port = port
        return self

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), 1)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                self.note(await _request(reader))
                talk = self._talks.pop(0) if len(self._talks) > 1 else self._talks[0]
                await talk(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, Hangup):
            pass
        finally:
            writer.close()
            self._connections.discard(writer)


class Hangup(Exception):
    """Makes a raw server close the connection."""


async def _request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    method, path, _ = head[0].split(" ")
    return Seen(time.time(), method, path, {}, headers, body)


def says(body: bytes, *, status: str = "200 OK", length: int | None = None, headers: str = "") -> Talk:
    """Say something, with a length that may be wrong."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body)
        if size != len(body):
            await writer.drain()
            raise Hangup

    return talk


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of an answer."""
    raise Hangup


async def resets(writer: asyncio.StreamWriter) -> None:
    """Reset the connection instead of an answer."""
    writer.transport.abort()
    raise Hangup


async def is_silent(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.sleep(60)


async def drips(writer: asyncio.StreamWriter) -> None:
    """Begin an answer and send a byte of it now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


OK = says(b'{"id": "LIM-000001"}')


def json(content: object, status: int = 200, **headers: str) -> web.Response:
    """Return a JSON answer; underscores in the names of headers stand for hyphens."""
    return web.json_response(content, status=status, headers={n.replace("_", "-"): v for n, v in headers.items()})
