"""Keeps what many senders tell at once in one transaction: each waits for it, and the disk is waited for once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pv_testing.ledger.inbox import Received

MOST = 5_000
"""Events that may wait to be kept; a sender beyond them is asked to come again."""


class TooBusy(Exception):
    """More is told than can be kept."""


class GroupCommit:
    """Keeps events; belongs to one event loop.

    Args:
        receive: keeps events durably in one transaction.
    """

    def __init__(self, receive: Callable[[Sequence[Received]], int]) -> None:
        self._receive = receive
        self._waiting: list[tuple[Sequence[Received], asyncio.Future[None]]] = []
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    async def keep(self, events: Sequence[Received]) -> None:
        """Return when the events are on the disk.

        Raises:
            LedgerError: they can't be kept.
            TooBusy: too many wait already.
        """
        if self._number + len(events) > MOST:
            raise TooBusy
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((events, done))
        self._number += len(events)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work_off())
        await done

    async def _work_off(self) -> None:
        while self._waiting:
            group, self._waiting, self._number = self._waiting, [], 0
            try:
                await asyncio.to_thread(self._receive, [event for events, _ in group for event in events])
            except Exception as error:  # noqa: BLE001 - each sender hears of it
                self._end(group, error)
            else:
                self._end(group, None)

    @staticmethod
    def _end(group: Sequence[tuple[Sequence[Received], asyncio.Future[None]]], error: Exception | None) -> None:
        for _, done in group:
            if done.cancelled():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
