"""Work that grows while it is done: everything is done once, several pieces at a time, and a failure ends it."""

from __future__ import annotations

import asyncio

import pytest

from pv_testing.exchange.worklist import Worklist


def test_what_follows_is_done_too_and_by_all_workers() -> None:
    done: list[int] = []
    most = now = 0

    async def do(number: int) -> list[int]:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        done.append(number)
        return [2 * number, 2 * number + 1] if number < 32 else []

    asyncio.run(Worklist([1], do).run(4))
    assert sorted(done) == list(range(1, 64))
    assert most == 4


def test_no_work_is_no_wait() -> None:
    async def do(_: int) -> list[int]:
        raise AssertionError

    asyncio.run(Worklist([], do).run(4))


def test_a_failure_ends_the_others() -> None:
    ended: list[int] = []

    async def do(number: int) -> list[int]:
        if number == 2:
            raise ValueError
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(number)
            raise
        return []

    with pytest.raises(ValueError):  # noqa: PT011 - any
        asyncio.run(Worklist([1, 2, 3], do).run(3))
    assert sorted(ended) == [1, 3]
