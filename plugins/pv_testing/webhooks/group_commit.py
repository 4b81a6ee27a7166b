"""Keeps what many senders tell at once in one transaction: each waits for it, and the disk is waited for once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from pv_testing.ledger.inbox import Received

MOST = 5_000
"""Events that may wait to be kept; a sender beyond them is asked to come again."""

Group = list[tuple[Sequence[Received], "asyncio.Future[None]"]]


class TooBusy(Exception):
    """More is told than can be kept."""


class GroupCommit:
    """Keeps events; belongs to one event loop.

    One thread commits group after group for as long as there are any. It takes the next one itself, without a detour
    through the event loop: on a busy machine that would cost every sender another wait for a processor.

    Args:
        receive: keeps events durably in one transaction.
    """

    def __init__(self, receive: Callable[[Sequence[Received]], int]) -> None:
        self._receive = receive
        self._turn = threading.Lock()
        self._waiting: Group = []
        self._number = 0
        self._is_working = False

    async def keep(self, events: Sequence[Received]) -> None:
        """Return when the events are on the disk.

        Raises:
            LedgerError: they can't be kept.
            TooBusy: too many wait already.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._turn:
            if self._number + len(events) > MOST:
                raise TooBusy
            self._waiting.append((events, done))
            self._number += len(events)
            begins, self._is_working = not self._is_working, True
        if begins:
            loop.run_in_executor(None, self._work_off, loop)
        await done

    def _work_off(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit groups until none waits; runs in a thread."""
        while group := self._next():
            error: Exception | None = None
            try:
                self._receive([event for events, _ in group for event in events])
            except Exception as raised:  # noqa: BLE001 - each sender hears of it
                error = raised
            loop.call_soon_threadsafe(_end, group, error)

    def _next(self) -> Group:
        with self._turn:
            group, self._waiting, self._number = self._waiting, [], 0
            self._is_working = bool(group)
        return group


def _end(group: Group, error: Exception | None) -> None:
    for _, done in group:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
