"""A list of work that grows while it is done, and those who take it."""

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
        work: what is to be done.
        do: does one piece, and returns the pieces that follow from it; these are taken before the others.
    """

    def __init__(self, work: Iterable[Work], do: Callable[[Work], Awaitable[Sequence[Work]]]) -> None:
        self._left = deque(work)
        self._do = do
        self._under_way = 0
        self._changed = asyncio.Event()

    async def run(self, workers: int) -> None:
        """Return when nothing is left and nothing can follow; where a piece fails, the others are cancelled.

        Args:
            workers: how many pieces are done at a time.
        """
        if self._left:
            await together(*(self._take_turns() for _ in range(workers)))

    async def _take_turns(self) -> None:
        while self._left or self._under_way:
            if not self._left:
                await self._changed.wait()
                continue
            self._under_way += 1
            following = await self._do(self._left.popleft())
            self._under_way -= 1
            self._left.extendleft(reversed(following))
            if following or not self._under_way:
                self._changed.set()
                self._changed = asyncio.Event()
