"""Lets one request after another pass to a system, when nothing holds it back."""

from __future__ import annotations

import asyncio

from pv_testing.core import clock
from pv_testing.core.errors import CircuitOpen, DeadlineExceeded, IntegrationError, RateLimited
from pv_testing.transports.limits import Breaker, ConcurrencyLimit, Pace, Pause, Quota

Wait = tuple[float, IntegrationError]


class Throttle:
    """Lets a request pass when pause, breaker, quota and the number of requests under way allow it.

    Args:
        pause: the system's wish to be left alone.
        breaker: leaves it alone after many failures.
        quota: how many requests it takes in a period, if it says so.
        slots: how many at a time.

    Attributes:
        pace: how far apart, since the system has refused some as too many.
    """

    def __init__(self, pause: Pause, breaker: Breaker, quota: Quota | None, slots: ConcurrencyLimit) -> None:
        self.pause = pause
        self.breaker = breaker
        self.pace = Pace()
        self._quota = quota
        self._concurrency = slots

    async def enter(self, latest: float) -> bool:
        """Wait until a request may be sent; :meth:`leave` must follow.

        Args:
            latest: ``clock.seconds()`` after which it makes no more sense to send it.

        Returns:
            What to tell :meth:`leave`.

        Raises:
            RateLimited: the system wants to be left alone for longer than that.
            CircuitOpen: the system failed too often, and that won't change before.
            DeadlineExceeded: quota or other requests don't leave the time.
        """
        if self._concurrency.taken and (closed := self._closed()) is not None:
            _in_time(closed, latest)
        if not self._concurrency.take_free():
            await self._concurrency.take(latest)
        try:
            while (wait := self._closed() or self._used_up()) is not None:
                _in_time(wait, latest)
                await asyncio.sleep(wait[0])
        except BaseException:
            self._concurrency.give()
            raise
        self.pace.passed()
        return self.breaker.begin()

    def leave(self, *, probe: bool) -> None:
        """The request is over.

        Args:
            probe: what :meth:`enter` has said.
        """
        self._concurrency.give()
        if probe:
            self.breaker.end()

    def _closed(self) -> Wait | None:
        left = self.pause.left()
        if left > 0:
            return left, RateLimited(f"the system asks to be left alone for {left:.1f} s", retry_after=left)
        left = self.breaker.left()
        if left > 0:
            message = f"the system failed many times in a row; nothing is sent for {left:.1f} s"
            return left, CircuitOpen(message)
        left = self.pace.left()
        if left > 0:
            message = f"the system takes fewer requests than there are; the next one goes in {left:.1f} s"
            return left, RateLimited(message, retry_after=left)
        return None

    def _used_up(self) -> Wait | None:
        """Take a place in the quota, or say when there is one."""
        left = 0.0 if self._quota is None else self._quota.take()
        return (left, DeadlineExceeded("the quota of requests is used up; nothing was sent")) if left > 0 else None


def _in_time(wait: Wait, latest: float) -> None:
    seconds, otherwise = wait
    if clock.seconds() + seconds > latest:
        raise otherwise
