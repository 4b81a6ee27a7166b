"""Lets one request after another pass to a system, when nothing holds it back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from pv_testing.core import clock
from pv_testing.core.errors import CircuitOpen, DeadlineExceeded, IntegrationError, RateLimited
from pv_testing.transports.limits import Breaker, ConcurrencyLimit, Pace, Pause, Quota
from pv_testing.transports.waiting import remaining

if TYPE_CHECKING:
    from pv_testing.core.response import Response
    from pv_testing.transports.governor import Governor

BAD_REQUEST = 400
SPARE = 0.5
"""Seconds before the end of an attempt after which it waits for no turn."""
Wait = tuple[float, IntegrationError]


class Passing(Protocol):
    """A request that is to pass.

    Attributes:
        latest: ``clock.seconds()`` after which it makes no more sense to send it.
        turn_ends: the same after which it must not be written in the turn that a shared limit has given it.
        attempt_ends: the same by which the attempt under way must have its answer.
    """

    latest: float
    turn_ends: float
    attempt_ends: float


class Throttle:
    """Lets a request pass when pause, breaker, quota and the number of requests under way allow it.

    Args:
        pause: the system's wish to be left alone.
        breaker: leaves it alone after many failures.
        quota: how many requests it takes in a period, if it says so.
        slots: how many at a time.

    Attributes:
        governor: the limit that all tasks and hosts share, where :meth:`govern` has set one.
        pace: how far apart, since the system has refused some as too many.
    """

    def __init__(self, pause: Pause, breaker: Breaker, quota: Quota | None, slots: ConcurrencyLimit) -> None:
        self.governor: Governor | None = None
        self.pause = pause
        self.breaker = breaker
        self.pace = Pace()
        self._quota = quota
        self._concurrency = slots

    def enter_at_once(self) -> bool:
        """Let a request pass if nothing holds it back, and return whether; :meth:`leave` must follow then."""
        unlimited = self._quota is None and self.governor is None
        free = unlimited and self.breaker.closed and self.pause.left() <= 0 and self.pace.left() <= 0
        if not free or not self._concurrency.take_free():
            return False
        self.pace.passed()
        return True

    async def enter(self, request: Passing) -> bool:
        """Wait until a request may be sent; :meth:`leave` must follow.

        Args:
            request: that is to be sent.

        Returns:
            What to tell :meth:`leave`.

        Raises:
            RateLimited: the system wants to be left alone for longer than that, or others have used up what it takes.
            CircuitOpen: the system failed too often, and that won't change before.
            DeadlineExceeded: quota or other requests don't leave the time.
        """
        latest = request.latest
        if self._concurrency.taken and (closed := self._closed()) is not None:
            _in_time(closed, latest)
        if not self._concurrency.take_free():
            await self._concurrency.take(latest)
        try:
            while (wait := self._closed() or self._used_up()) is not None:
                _in_time(wait, latest)
                await asyncio.sleep(wait[0])
            self.pace.passed()  # before a slot is taken: those in line behind this request would take some in vain
            if self.governor is not None:
                await self._in_turn(self.governor, request, request.latest)
        except BaseException:
            self._concurrency.give()
            raise
        return self.breaker.begin()

    def govern(self, governor: Governor) -> None:
        """Let requests pass in the slots of a shared limit, which takes the place of the quota."""
        self.governor = governor
        self._quota = None
        governor.on_pause = self.pause.learn

    def hear(self, response: Response) -> None:
        """Pass on to the shared limit how many requests a system says that it still takes, unless it refuses one.

        Some refuse the requests for one object alone, and a wish to be left alone is a pause.
        """
        if self.governor is None or response.status >= BAD_REQUEST:
            return
        left = remaining(response, time.time())
        if left is not None:
            self.governor.hear(*left)

    async def enter_again(self, request: Passing) -> None:
        """Wait for another turn, as the first one was over before the request was written; raises as :meth:`enter`.

        It waits no longer than leaves the attempt time for an answer: its end would look as if no system was there.
        """
        if self.governor is not None:
            await self._in_turn(self.governor, request, min(request.latest, request.attempt_ends - SPARE))

    async def aclose(self) -> None:
        """Lease no more slots."""
        if self.governor is not None:
            await self.governor.aclose()

    async def _in_turn(self, governor: Governor, request: Passing, latest: float) -> None:
        """Wait for a slot of the shared limit in which nothing else holds the request back."""
        while True:
            ends = await governor.take(latest)
            if ends and self._left_alone() is None:
                request.turn_ends = ends
                return
            while (wait := self._left_alone()) is not None:
                _in_time(wait, latest)
                await asyncio.sleep(wait[0])

    def leave(self, *, probe: bool) -> None:
        """The request is over.

        Args:
            probe: what :meth:`enter` has said.
        """
        self._concurrency.give()
        if probe:
            self.breaker.end()

    def _closed(self) -> Wait | None:
        wait = self._left_alone()
        left = self.pace.left()
        if wait is None and left > 0:
            message = f"the system takes fewer requests than there are; the next one goes in {left:.1f} s"
            return left, RateLimited(message, retry_after=left)
        return wait

    def _left_alone(self) -> Wait | None:
        left = self.pause.left()
        if left > 0:
            return left, RateLimited(f"the system asks to be left alone for {left:.1f} s", retry_after=left)
        left = self.breaker.left()
        if left > 0:
            message = f"the system failed many times in a row; nothing is sent for {left:.1f} s"
            return left, CircuitOpen(message)
        return None

    def _used_up(self) -> Wait | None:
        """Take a place in the quota, or say when there is one."""
        left = 0.0 if self._quota is None else self._quota.take()
        return (left, DeadlineExceeded("the quota of requests is used up; nothing was sent")) if left > 0 else None


def _in_time(wait: Wait, latest: float) -> None:
    seconds, otherwise = wait
    if clock.seconds() + seconds > latest:
        raise otherwise
