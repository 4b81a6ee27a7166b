"""Runs systems on real sockets: uvicorn, with a protocol whose connections a fault can close."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.gate import Application
from sandbox.system import System

HOST = "127.0.0.1"
FLUSH_SECONDS = 0.5
CLOSING_SECONDS = 0.005
START_SECONDS = 30.0


class ClosableProtocol(HttpToolsProtocol):
    """Lets the application reach the TCP connection, so that it can be dropped without an answer."""

    def on_message_begin(self) -> None:
        """Put the transport beside the request."""
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class _Server(uvicorn.Server):
    """A server that ends at once; uvicorn's own waits 0.1 s twice, although nothing is left to serve."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until the end is wanted."""
        ticking = asyncio.ensure_future(super().main_loop())
        try:
            await self.ending.wait()
        finally:
            ticking.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners and the idle connections; those with a request have the grace that uvicorn gives them."""
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(CLOSING_SECONDS)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that runs the servers."""
        yield


async def _nothing() -> None:
    """Close nothing."""


@dataclass(frozen=True)
class Part:
    """One system to serve.

    Attributes:
        system: the parts' store, callers and faults.
        gate: its application, with whatever is in front of it.
        port: 0 for any free one.
        close: called after the last request.
    """

    system: System
    gate: Application
    port: int = 0
    close: Callable[[], Awaitable[None]] = _nothing


@dataclass(frozen=True)
class Running:
    """Servers that accept requests: their ports by system, and how to stop them."""

    ports: dict[str, int]
    stop: Callable[[], None]


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((os.environ.get("SANDBOX_HOST", HOST), port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"port {port} of {HOST}: {error.strerror}") from error
    listener.listen(2048)
    return listener


def _server(gate: Application) -> _Server:
    config = uvicorn.Config(
        gate,
        http=ClosableProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,
    )
    return _Server(config)


async def serve_forever(parts: Sequence[Part], started: Callable[[Running], None], stopping: asyncio.Event) -> None:
    """Serve systems until ``stopping`` is set.

    Args:
        parts: the systems.
        started: called when all of them accept requests.
        stopping: set it, in this event loop, to end.
    """
    sockets = [_listen(part.port) for part in parts]
    servers = [_server(part.gate) for part in parts]
    tasks = [asyncio.create_task(server.serve(sockets=[each])) for server, each in zip(servers, sockets, strict=True)]
    ports = {part.system.name: each.getsockname()[1] for part, each in zip(parts, sockets, strict=True)}
    loop = asyncio.get_running_loop()
    try:
        await _until_started(servers, tasks)
        started(Running(ports, lambda: _set(loop, stopping)))
        await _flush_until(stopping, parts)
    finally:
        for server in servers:
            server.ending.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in parts:
            await part.close()
            part.system.close()


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)


async def _until_started(servers: Sequence[uvicorn.Server], tasks: Sequence[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.002)


async def _flush_until(stopping: asyncio.Event, parts: Sequence[Part]) -> None:
    while not stopping.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), FLUSH_SECONDS)
        for part in parts:
            part.system.log.flush()


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a new event loop, uvloop's where it is installed."""
    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


@contextlib.contextmanager
def in_thread(parts: Callable[[], Sequence[Part]]) -> Iterator[Running]:
    """Serve systems in a background thread for as long as the context lasts.

    Args:
        parts: makes the systems, in that thread.

    Yields:
        The servers, which accept requests.

    Raises:
        BaseException: at the end, the error that has ended the servers before they were told to stop.
    """
    ready = threading.Event()
    running_servers: list[Running] = []
    failed: list[BaseException] = []

    def started(running: Running) -> None:
        running_servers.append(running)
        ready.set()

    def target() -> None:
        try:
            run_loop(_main(parts(), started))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=target, name="sandbox", daemon=True)
    thread.start()
    ready.wait(START_SECONDS)
    if failed:
        raise failed[0]
    try:
        yield running_servers[0]
    finally:
        running_servers[0].stop()
        thread.join(10)
        if failed:
            raise failed[0]


async def _main(parts: Sequence[Part], started: Callable[[Running], None]) -> None:
    await serve_forever(parts, started, asyncio.Event())
