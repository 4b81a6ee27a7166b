"""Keeps a system's wish to be left alone where it outlives the process, beside the exchange and never in its way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

GRACE = 5.0
"""Seconds that the last wish has to be kept when the session is closed."""

log = logging.getLogger(__name__)


class RetryAfterStore:
    """Hands on one wish after the other in a thread; of those that come meanwhile, only the longest.

    What goes wrong is logged and no more: the answer that brought the wish says what became of a record, and nothing
    must take its place.

    Args:
        keep: called with the epoch seconds until which the system wants to be left alone.
    """

    def __init__(self, keep: Callable[[float], None]) -> None:
        self._keep = keep
        self._wanted = self._handed_on = 0.0
        self._task: asyncio.Task[None] | None = None

    def __call__(self, until: float) -> None:
        """Keep a wish; it doesn't wait for that."""
        self._wanted = max(self._wanted, until)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._hand_on())

    async def _hand_on(self) -> None:
        while self._handed_on < self._wanted:
            self._handed_on = self._wanted
            try:
                await asyncio.to_thread(self._keep, self._handed_on)
            except Exception as error:  # noqa: BLE001 - whatever it is, the exchange goes on
                log.warning("a system's wish to be left alone holds for this process only, it can't be kept: %s", error)

    async def aclose(self) -> None:
        """Wait until the last wish is kept, but not for long."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=GRACE)
            self._task.cancel()
