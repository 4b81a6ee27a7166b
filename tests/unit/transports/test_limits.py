"""Shows that quota, breaker, pause and slots let pass what they should, no more, and lose nothing to cancellations."""

from __future__ import annotations

import asyncio
import time

import pytest

from pv_testing.core import clock
from pv_testing.core.errors import DeadlineExceeded
from pv_testing.transports.limits import POLL, SLACK, Breaker, ConcurrencyLimit, Pause, Quota, Rate

pytestmark = pytest.mark.anyio


def soon(seconds: float = 5.0) -> float:
    return clock.seconds() + seconds


async def test_no_period_holds_more_than_the_quota_wherever_it_begins():
    quota = Quota(Rate(5, 0.1))
    times: list[float] = []
    while len(times) < 23:
        left = quota.take()
        if left == 0:
            times.append(clock.seconds())
        else:
            assert 0 < left <= 0.1 + SLACK
            await asyncio.sleep(left)
    assert all(later - earlier >= 0.1 for earlier, later in zip(times, times[5:], strict=False))


async def test_a_pause_is_told_once_a_second_and_never_shortened():
    told: list[float] = []
    pause = Pause(0.0, told.append)
    started = time.time()
    for _ in range(16):
        pause.extend(2.0)
    pause.extend(0.1)
    assert 1.9 < pause.left() <= 2.0
    assert 1 <= len(told) <= 2
    assert started + 2 <= told[-1] <= started + 3.1


async def test_a_pause_of_an_earlier_process_goes_on():
    assert 0.9 < Pause(time.time() + 1).left() <= 1.0
    assert Pause(time.time() - 1).left() < 0


async def test_an_open_breaker_lets_one_request_try_at_a_time():
    breaker = Breaker(failures=2, reset=0.05)
    breaker.failed()
    assert breaker.left() == 0
    assert not breaker.begin()
    breaker.failed()
    assert 0 < breaker.left() <= 0.05
    await asyncio.sleep(0.06)
    assert breaker.left() <= 0
    assert breaker.begin()
    assert breaker.left() == POLL
    breaker.end()
    assert breaker.left() <= 0
    assert breaker.begin()
    breaker.end()
    breaker.succeeded()
    assert breaker.closed
    assert not breaker.begin()


async def test_slots_are_given_in_order():
    limit, order = ConcurrencyLimit(1), []
    await limit.take(soon())

    async def use(number: int) -> None:
        await limit.take(soon())
        order.append(number)
        limit.give()

    tasks = [asyncio.ensure_future(use(number)) for number in range(5)]
    await asyncio.sleep(0)
    limit.give()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_waiting_for_a_slot_ends_with_the_deadline():
    limit = ConcurrencyLimit(1)
    await limit.take(soon())
    started = clock.seconds()
    with pytest.raises(DeadlineExceeded):
        await limit.take(soon(0.05))
    assert 0.04 < clock.seconds() - started < 0.5
    limit.give()
    await limit.take(soon())


async def test_a_cancelled_request_gives_the_slot_on_that_it_was_just_given():
    limit = ConcurrencyLimit(1)
    await limit.take(soon())
    waiting = asyncio.ensure_future(limit.take(soon()))
    await asyncio.sleep(0)
    limit.give()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(limit.take(soon()), 0.1)


async def test_one_that_waits_no_more_is_passed_over():
    limit = ConcurrencyLimit(1)
    await limit.take(soon())
    gone, here = asyncio.ensure_future(limit.take(soon())), asyncio.ensure_future(limit.take(soon()))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    limit.give()
    await asyncio.wait_for(here, 0.1)
