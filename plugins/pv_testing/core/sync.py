"""One event loop in the background, so that synchronous callers use the same code as asynchronous ones.

The loop lives in a daemon thread of its own, therefore :func:`run` also works where another loop is running in the
caller's thread, such as a notebook. A forked process gets a loop of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from pv_testing.core.loop import new_loop

T = TypeVar("T")
Close = Callable[[], Coroutine[Any, Any, None]]
GRACE = 5.0
"""Seconds that interrupted work has to clean up, such as to settle the records it has claimed."""

NOTICE = 1.0
"""Seconds after which an interruption is noticed at the latest."""


class _Background:
    """A loop and its thread, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: list[weakref.finalize[..., Any]] = []
        self._closing: set[concurrent.futures.Future[None]] = set()

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = new_loop()
                threading.Thread(target=self._loop.run_forever, name="pv-testing-loop", daemon=True).start()
            return self._loop

    def owns(self, loop: asyncio.AbstractEventLoop | None) -> bool:
        return loop is not None and loop is self._loop

    def close_with(self, owner: object, close: Close) -> None:
        end = weakref.finalize(owner, self._close, close)
        end.atexit = False
        self._open = [*(other for other in self._open if other.alive), end]

    def _close(self, close: Close) -> None:
        if self is not _background or self._loop is None:
            return
        closing = asyncio.run_coroutine_threadsafe(close(), self._loop)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def end(self) -> None:
        for end in self._open:
            still = end.detach()
            if still is not None:
                self._close(*still[2])
        concurrent.futures.wait(list(self._closing), GRACE)


class _Job(Generic[T]):
    """Work in the loop that its caller may give up at any moment, also while it is being handed over.

    Args:
        work: to do.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.ended = threading.Event()
        self._work = work
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> T:
        """Do the work and set ``ended`` at its end."""
        self._task = asyncio.current_task()
        try:
            return await self._work
        finally:
            self.ended.set()

    def give_up(self) -> None:
        """Cancel the work, or keep it from beginning; to be called in the loop."""
        if self._task is not None:
            self._task.cancel()
        elif not self.ended.is_set():
            self._work.close()
            self.ended.set()


_background = _Background()


def _forget() -> None:
    global _background  # noqa: PLW0603 - a forked process has the object but not its thread
    _background = _Background()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end() -> None:
    _background.end()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the background loop and wait for it.

    Args:
        work: to do; it is cancelled when the caller is interrupted while it waits, and has a while to clean up.

    Returns:
        The coroutine's result.

    Raises:
        RuntimeError: called from the background loop itself, which would wait for itself for ever.
    """
    loop = _background.loop()
    if _running() is loop:
        work.close()
        raise RuntimeError("run() was called within the background loop; await the coroutine instead")
    job = _Job(work)
    try:
        return _result(asyncio.run_coroutine_threadsafe(job.run(), loop))
    except BaseException:
        loop.call_soon_threadsafe(job.give_up)
        job.ended.wait(GRACE)
        raise


def _result(future: concurrent.futures.Future[T]) -> T:
    """Wait for a result, at most a second at a time: a signal that comes just before a wait doesn't end it."""
    while not future.done():
        try:
            return future.result(NOTICE)
        except concurrent.futures.TimeoutError:
            continue  # also where the work has raised it: then it is raised below
    return future.result()


def close_with(owner: object, close: Close) -> None:
    """Close something when its owner is forgotten or the interpreter ends, if it lives in the background loop.

    Synchronous callers, such as the guide's samples, seldom close their clients; asynchronous ones must.

    Args:
        owner: it is closed at the owner's end.
        close: closes it, once or many times; must not refer to the owner.
    """
    if _background.owns(_running()):
        _background.close_with(owner, close)


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
