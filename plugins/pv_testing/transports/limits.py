"""What holds requests back: the system's own wish, its quota, a circuit breaker, and a number of requests at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pv_testing.core import clock
from pv_testing.core.errors import DeadlineExceeded

POLL = 0.05
SLACK = 0.05
LONGEST_GAP = 10.0
FIRST_RATE, FREE_RATE = 20.0, 1_000.0
MORE, GROWTH = 0.2, 1.03


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
        on_pause: called with the epoch seconds, rounded up, of every new pause, so that it can outlive this process.
    """

    def __init__(self, until: float = 0.0, on_pause: Callable[[float], None] | None = None) -> None:
        self._until = time.monotonic() + until - time.time()
        self._told = until
        self._on_pause = on_pause

    def extend(self, seconds: float) -> None:
        """Send nothing for so many seconds from now."""
        self._until = max(self._until, time.monotonic() + seconds)
        until = float(math.ceil(time.time() + seconds))
        if until > self._told:
            self._told = until
            if self._on_pause is not None:
                self._on_pause(until)

    def learn(self, until: float) -> None:
        """Hold to a pause that another process was asked for and has kept; ``until`` is in epoch seconds."""
        self._until = max(self._until, time.monotonic() + until - time.time())
        self._told = max(self._told, until)

    def left(self) -> float:
        """Return how many seconds the pause still lasts; not more than 0 when it is over."""
        return self._until - time.monotonic()


class Pace:
    """Spreads requests out after a system has refused some without saying for how long it wants to be left alone.

    The first refusal sets a rate of 20 requests per second, shared by all requests of a session, and each further one
    halves it; each answer adds 0.2 per second and 3 %, until the rate is so high that nothing is held back any more.
    What is added makes up for refusals at random: where 5 % are refused, whatever the rate, about 20 per second pass.

    Attributes:
        taken: how many requests the system has taken.
    """

    def __init__(self) -> None:
        self._rate = math.inf
        self._next = 0.0
        self._slowed = 0.0
        self.taken = 0

    def left(self) -> float:
        """Return the seconds until a request may pass; not more than 0 when one may now."""
        return self._next - time.monotonic() if self._rate < FREE_RATE else 0.0

    def passed(self) -> None:
        """A request passes now."""
        if self._rate < FREE_RATE:
            self._next = time.monotonic() + 1 / self._rate

    def refused(self, sent: float) -> None:
        """The system has refused a request.

        Args:
            sent: ``time.monotonic()`` at which that passed; one that passed before the pace was slowed tells nothing.
        """
        if sent < self._slowed:
            return
        self._slowed = time.monotonic()
        self._rate = max(1 / LONGEST_GAP, self._rate / 2) if self._rate < FREE_RATE else FIRST_RATE
        self._next = self._slowed + 1 / self._rate

    def answered(self) -> None:
        """The system has taken a request."""
        self.taken += 1
        if self._rate < FREE_RATE:
            self._rate = self._rate * GROWTH + MORE


class Quota:
    """Sees to it that no period of a rate's length ever holds more requests than it allows.

    The period is a little longer here, because a network may bring two requests closer together than they were sent.

    Args:
        rate: how many requests in how many seconds.
    """

    def __init__(self, rate: Rate) -> None:
        self._seconds = rate.seconds + SLACK
        self._taken: deque[float] = deque(maxlen=rate.requests)

    def take(self) -> float:
        """Take a place and return 0, or return the seconds until one is free."""
        now = time.monotonic()
        if len(self._taken) == self._taken.maxlen:
            left = self._taken[0] + self._seconds - now
            if left > 0:
                return left
        self._taken.append(now)
        return 0.0


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

    def left(self) -> float:
        """Return 0 when a request may pass now, else the seconds after which to ask again."""
        if self.closed:
            return 0.0
        left = self._opened + self._reset - time.monotonic()
        return POLL if left <= 0 and self._probing else left

    def begin(self) -> bool:
        """Let a request pass; return whether it is the one that tries, which must be said to :meth:`end`."""
        self._probing = not self.closed
        return self._probing

    def end(self) -> None:
        """The request that tries has come to its end, whatever that is."""
        self._probing = False

    def succeeded(self) -> bool:
        """Note that the system has answered; return whether that lets requests pass again."""
        closes = self._failures >= self._threshold
        self._failures = 0
        return closes

    def failed(self) -> bool:
        """Note that the system has not answered, or with a server error; return whether that opens the breaker."""
        self._failures += 1
        self._opened = time.monotonic()
        return self._failures == self._threshold


class ConcurrencyLimit:
    """A number of requests at a time; the others wait in line, each no longer than it has time.

    Args:
        number: how many.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def taken(self) -> bool:
        """Whether there is none left, so that a request must wait in line."""
        return not self._free

    def take_free(self) -> bool:
        """Take a slot that is free; return whether there was one."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def take(self, latest: float) -> None:
        """Wait for a slot.

        Args:
            latest: ``clock.seconds()`` at which waiting makes no more sense.

        Raises:
            DeadlineExceeded: no slot has become free before.
        """
        if self.take_free():
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._line.append(turn)
        alarm = loop.call_later(latest - clock.seconds(), _too_late, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give()
            raise
        finally:
            alarm.cancel()

    def give(self) -> None:
        """Give a slot to the next in line, or back."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _too_late(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(DeadlineExceeded("other requests have used up the time for the operation; nothing was sent"))
