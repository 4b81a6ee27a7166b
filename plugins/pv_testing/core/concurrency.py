"""Coroutines side by side, with no stragglers when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run coroutines side by side; when one fails, the others are cancelled before its error is raised.

    Returns:
        Their results, in their order.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def bounded(work: Sequence[Coroutine[Any, Any, Any]], limit: int) -> list[Any]:
    """Run coroutines as :func:`together` does, a few at a time; when one fails, no other is begun.

    Args:
        work: the coroutines.
        limit: the most that run at a time.
    """
    results: list[Any] = [None] * len(work)
    left = iter(enumerate(work))

    async def take_turns() -> None:
        for place, coroutine in left:
            results[place] = await coroutine

    try:
        await together(*(take_turns() for _ in range(min(limit, len(work)))))
    finally:
        for _, coroutine in left:
            coroutine.close()
    return results
