"""What holds requests back: the system's own wish, its quota, and a circuit breaker."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pv_testing.errors import CircuitOpen, DeadlineExceeded, IntegrationError, RateLimited

POLL = 0.05


class Rate(NamedTuple):
    """A quota.

    Attributes:
        requests: how many.
        seconds: in how many seconds.
    """

    requests: int
    seconds: float


class Pause:
    """A time before which nothing is sent, shared by all requests of a session.

    Args:
        until: epoch seconds; a pause that an earlier process was asked for.
        on_pause: called with the epoch seconds of every new pause, so that it can outlive this process.
    """

    def __init__(self, until: float = 0.0, on_pause: Callable[[float], None] | None = None) -> None:
        self.until = until
        self._on_pause = on_pause

    def extend(self, seconds: float) -> None:
        """Send nothing for so many seconds from now."""
        until = time.time() + seconds
        if until > self.until:
            self.until = until
            if self._on_pause is not None:
                self._on_pause(until)

    def left(self) -> float:
        """Return how many seconds the pause still lasts; not more than 0 when it is over."""
        return self.until - time.time()


class Quota:
    """Spreads requests so that no period of a rate's length ever holds more than it allows.

    Args:
        rate: how many requests in how many seconds.
    """

    def __init__(self, rate: Rate) -> None:
        self._seconds = rate.seconds
        self._due: deque[float] = deque(maxlen=rate.requests)

    def take(self) -> float:
        """Take a place and return the seconds until it is due."""
        now = time.monotonic()
        full = len(self._due) == self._due.maxlen
        due = max(now, self._due[0] + self._seconds) if full else now
        self._due.append(due)
        return due - now


class Breaker:
    """Leaves a system alone for a while after many failures in a row, then lets one request try.

    Args:
        failures: how many failures in a row open it.
        reset: seconds for which it stays open.
    """

    def __init__(self, failures: int, reset: float) -> None:
        self._threshold = failures
        self._reset = reset
        self._failures = 0
        self._opened = 0.0
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether requests pass freely."""
        return self._failures < self._threshold

    def admit(self) -> float:
        """Return 0 when a request may pass now, else the seconds after which to ask again."""
        if self.closed:
            return 0.0
        left = self._opened + self._reset - time.monotonic()
        if left > 0:
            return left
        if self._probing:
            return POLL
        self._probing = True
        return 0.0

    def succeeded(self) -> None:
        """The system has answered."""
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        """The system has not answered, or with a server error."""
        self._failures += 1
        self._probing = False
        self._opened = time.monotonic()


class Gate:
    """Lets a request pass when pause, quota and breaker allow it, or says that it can't within its deadline."""

    def __init__(self, pause: Pause, quota: Quota | None, breaker: Breaker) -> None:
        self.pause = pause
        self.quota = quota
        self.breaker = breaker

    async def admit(self, deadline: float) -> None:
        """Wait until a request may be sent.

        Args:
            deadline: ``time.monotonic()`` seconds by which the whole operation must be done.

        Raises:
            RateLimited: the system wants to be left alone for longer than that.
            CircuitOpen: the system failed too often, and that won't change before.
            DeadlineExceeded: the quota doesn't allow a request before.
        """
        if self.quota is not None:
            await self._sleep(self.quota.take(), deadline, DeadlineExceeded("the quota of requests is used up for now"))
        while True:
            left = self.pause.left()
            if left > 0:
                message = f"the system asks to be left alone for {left:.0f} s"
                await self._sleep(left, deadline, RateLimited(message, retry_after=left))
                continue
            left = self.breaker.admit()
            if left <= 0:
                return
            message = f"the system failed many times in a row; nothing is sent for {left:.0f} s"
            await self._sleep(left, deadline, CircuitOpen(message))

    @staticmethod
    async def _sleep(seconds: float, deadline: float, otherwise: IntegrationError) -> None:
        if seconds <= 0:
            return
        if time.monotonic() + seconds > deadline:
            raise otherwise
        await asyncio.sleep(seconds)
