"""Shows that quota, breaker, pause and slots let pass what they should, no more, and lose nothing to cancellations."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from pv_testing.core import clock
from pv_testing.core.errors import DeadlineExceeded
from pv_testing.transports import limits
from pv_testing.transports.limits import POLL, SLACK, Breaker, ConcurrencyLimit, Pace, Pause, Quota, Rate

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


class Paced:
    """Sends requests one after the other at a pace, by a clock of its own that only the waits move.

    Args:
        refuses: says of a request, by the time at which it comes, whether the system refuses it.

    Attributes:
        now: seconds since the beginning.
        refused: how many requests were refused.
        longest: the longest wait before a request, in seconds.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: Callable[[float], bool]) -> None:
        monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.now = self.longest = 0.0
        self.refused = 0
        self._refuses, self._pace = refuses, Pace()

    def take(self, number: int) -> float:
        """Send until so many requests more have been taken; return how many seconds that took."""
        began, wanted = self.now, self._pace.taken + number
        while self._pace.taken < wanted:
            wait = max(0.0, self._pace.left())
            self.longest = max(self.longest, wait)
            self.now += wait
            self._pace.passed()
            if self._refuses(self.now):
                self.refused += 1
                self._pace.refused(self.now)
            else:
                self._pace.answered()
        return self.now - began


def so_many_a_second(number: int) -> Callable[[float], bool]:
    """Return what refuses, in each second, all requests after so many."""
    came: dict[int, int] = {}

    def refuses(now: float) -> bool:
        came[int(now)] = came.get(int(now), 0) + 1
        return came[int(now)] > number

    return refuses


@pytest.mark.parametrize(("share", "seconds"), [(0.01, 30), (0.05, 200), (0.08, 450)])
@pytest.mark.parametrize("seed", range(5))
async def test_refusals_at_random_cost_some_time_and_never_more_and_more(monkeypatch, share, seconds, seed):
    chance = random.Random(seed)
    paced = Paced(monkeypatch, lambda _: chance.random() < share)
    assert all(paced.take(1_000) < seconds for _ in range(20))


@pytest.mark.parametrize(("number", "share", "least"), [(2, 0.35, 1.2), (10, 0.15, 6.0), (50, 0.15, 15.0)])
async def test_a_system_that_takes_so_many_a_second_gets_little_more_and_takes_everything(
    monkeypatch, number, share, least
):
    paced = Paced(monkeypatch, so_many_a_second(number))
    paced.take(4 * number)
    paced.refused = 0
    assert 500 / paced.take(500) > least
    assert paced.refused / (500 + paced.refused) < share


async def test_one_refusal_is_forgotten_in_seconds(monkeypatch):
    first = iter([True])
    paced = Paced(monkeypatch, lambda _: next(first, False))
    assert 0.5 < paced.take(150) < 3
    assert paced.take(1_000) == 0


async def test_no_wait_between_two_requests_is_longer_than_ten_seconds(monkeypatch):
    paced = Paced(monkeypatch, lambda now: now < 200)
    paced.take(1)
    assert paced.longest == 10
    assert paced.take(120) < 30


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
