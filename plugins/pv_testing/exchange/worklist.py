"""A list of work that grows while it is done, and the workers that take from it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from pv_testing.core.concurrency import together

Work = TypeVar("Work")


class Worklist(Generic[Work]):
    """Has work done, a few pieces at a time, with all that follows from it.

    Args:
        work: the first pieces of work.
        do: does one piece, and returns the pieces that follow from it; these are taken before the others.
    """

    def __init__(self, work: Iterable[Work], do: Callable[[Work], Awaitable[Sequence[Work]]]) -> None:
        self._work = iter(work)
        self._following: deque[Work] = deque()
        self._do = do
        self._under_way = 0
        self._changed = asyncio.Event()

    async def run(self, workers: int) -> None:
        """Return when nothing is left and nothing can follow; where a piece fails, the others are cancelled.

        Args:
            workers: how many pieces are done at a time.
        """
        await together(*(self._take_turns() for _ in range(workers)))

    async def _take_turns(self) -> None:
        while True:
            work = self._following.popleft() if self._following else next(self._work, None)
            if work is not None:
                self._under_way += 1
                following = await self._do(work)
                self._under_way -= 1
                self._following.extendleft(reversed(following))
                if following or not self._under_way:
                    self._wake()
            elif self._under_way:
                await self._changed.wait()
            else:
                return

    def _wake(self) -> None:
        """Let the workers that wait look at the list again."""
        self._changed.set()
        self._changed = asyncio.Event()
