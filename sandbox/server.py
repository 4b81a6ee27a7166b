"""Runs the systems on real sockets: uvicorn, with a protocol whose connections a fault can close."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox import systems
from sandbox.gate import Gate
from sandbox.settings import Credentials, Settings
from sandbox.system import System

HOST = "127.0.0.1"
FLUSH_SECONDS = 0.5


class ClosableProtocol(HttpToolsProtocol):
    """Lets the application reach the TCP connection, so that it can be dropped without an answer."""

    def on_message_begin(self) -> None:
        """Put the transport beside the request."""
        super().on_message_begin()
        self.scope["state"]["transport"] = self.transport


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the servers."""
        yield


@dataclass
class Running:
    """Servers that accept requests: their systems, ports, and how to stop them."""

    ports: dict[str, int]
    systems: list[System]
    stop: Callable[[], None]


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(2048)
    return listener


def _server(gate: Gate) -> _Server:
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
    )
    return _Server(config)


async def serve_forever(
    settings: Settings, credentials: Credentials, started: Callable[[Running], None], stopping: asyncio.Event
) -> None:
    """Serve both systems until ``stopping`` is set.

    Args:
        settings: the sandbox.
        credentials: what its callers know.
        started: called when the servers accept requests.
        stopping: set it, in this event loop, to end.
    """
    framework, framework_gate = systems.framework(settings, credentials)
    lims, lims_gate = systems.lims(settings, credentials)
    sockets = [_listen(settings.framework_port), _listen(settings.lims_port)]
    servers = [_server(framework_gate), _server(lims_gate)]
    tasks = [asyncio.create_task(server.serve(sockets=[each])) for server, each in zip(servers, sockets, strict=True)]
    ports = {"framework": sockets[0].getsockname()[1], "lims": sockets[1].getsockname()[1]}
    loop = asyncio.get_running_loop()
    try:
        await _until_started(servers, tasks)
        started(Running(ports, [framework, lims], lambda: _set(loop, stopping)))
        await _flush_until(stopping, [framework, lims])
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        framework.close()
        lims.close()


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)


async def _until_started(servers: Sequence[uvicorn.Server], tasks: Sequence[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.002)


async def _flush_until(stopping: asyncio.Event, every: Sequence[System]) -> None:
    while not stopping.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopping.wait(), FLUSH_SECONDS)
        for system in every:
            system.log.flush()


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


def start_in_thread(settings: Settings, credentials: Credentials) -> tuple[Running, threading.Thread]:
    """Serve both systems in a background thread and return when they accept requests."""
    ready = threading.Event()
    found: list[Running] = []
    failed: list[BaseException] = []

    def started(running: Running) -> None:
        found.append(running)
        ready.set()

    def target() -> None:
        try:
            run_loop(_main(settings, credentials, started))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=target, name="sandbox", daemon=True)
    thread.start()
    ready.wait(30)
    if failed:
        raise failed[0]
    return found[0], thread


async def _main(settings: Settings, credentials: Credentials, started: Callable[[Running], None]) -> None:
    await serve_forever(settings, credentials, started, asyncio.Event())
