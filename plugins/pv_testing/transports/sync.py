"""One event loop in the background, so that synchronous callers use the same code as asynchronous ones.

The loop lives in a daemon thread of its own, therefore :func:`run` also works where another loop is running in the
caller's thread, such as a notebook. A forked process gets a loop of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
GRACE = 5.0
"""Seconds that interrupted work has to clean up, such as to settle what it has claimed."""


class _Background:
    """A loop and its thread, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="pv-testing-loop", daemon=True).start()
            return self._loop


_background = _Background()


def _forget() -> None:
    global _background  # noqa: PLW0603 - a forked process has the object but not its thread
    _background = _Background()


os.register_at_fork(after_in_child=_forget)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the background loop and wait for it.

    Args:
        work: what to do; it is cancelled when the caller is interrupted while it waits, and has a while to clean up.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: called from the background loop itself, which would wait for itself for ever.
    """
    loop = _background.loop()
    if _running() is loop:
        work.close()
        raise RuntimeError("run() was called within the background loop; await the coroutine instead")
    ended = threading.Event()
    future = asyncio.run_coroutine_threadsafe(_announced(work, ended), loop)
    try:
        return future.result()
    except BaseException:
        if future.cancel():
            ended.wait(GRACE)
        raise


async def _announced(work: Coroutine[Any, Any, T], ended: threading.Event) -> T:
    try:
        return await work
    finally:
        ended.set()


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
