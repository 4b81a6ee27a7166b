"""Real servers on the loopback for each test its own, and sessions that speak to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from pv_testing.transports.auth import Auth
from pv_testing.transports.rest import RestSession, RestSettings
from tests.unit.transports.servers import RawServer, Talk, WebServer

Open = Callable[..., RestSession]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., object]]:
    """Give a function that starts a web server with a handler, or with answers to give in turn."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*answers, **options) -> WebServer:
            return await stack.enter_async_context(WebServer(answers, **options))

        yield start


@pytest.fixture
async def serve_raw() -> AsyncIterator[Callable[..., object]]:
    """Give a function that starts a server which says, byte for byte, what it is told to."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*talks: Talk, **options) -> RawServer:
            return await stack.enter_async_context(RawServer(talks, **options))

        yield start


@pytest.fixture
async def open_session() -> AsyncIterator[Open]:
    """Give a function that opens a session which loses no time between its attempts."""
    opened: list[RestSession] = []

    def start(address: str, auth: Auth | None = None, *, on_pause=None, not_before=0.0, **settings) -> RestSession:
        chosen = RestSettings(address, **{"system": "lims", "provider": "test", "backoff": 0.01, **settings})
        opened.append(RestSession(chosen, auth, on_pause=on_pause, not_before=not_before))
        return opened[-1]

    yield start
    for session in opened:
        await session.aclose()


@pytest.fixture(autouse=True)
async def everything_ends(anyio_backend) -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not {task for task in left if "pv_testing" in repr(task)}
