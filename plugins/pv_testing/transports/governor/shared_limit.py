"""What a system takes from all tasks and hosts together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pv_testing.core.priority import Priority
from pv_testing.transports.limits import Rate

MARGIN = 0.06
"""Seconds by which a period is longer here: at 25 requests a second, 23.6 are sent."""
MARGIN_OF_LONG = 0.02
"""The same as a share of a long period. So a slot that others won't follow for long can wait for a connection."""
ROUNDING = 1e-6
"""Requests by which a share of a quota is off: 10 without nine tenths of it are 0.9999999999999998."""


@dataclass(frozen=True)
class SharedLimit:
    """What a system takes from all tasks and hosts together.

    Attributes:
        rate: how many requests in how many seconds; they are spread evenly. ``None`` where only quotas hold.
        quotas: how many requests in any hour or any day.
        reserve: the share of each quota that a backfill leaves to the others.
    """

    rate: Rate | None = None
    quotas: tuple[Rate, ...] = ()
    reserve: float = 0.1

    @property
    def margin(self) -> float:
        """The seconds by which a period is longer here than the rate says."""
        return 0.0 if self.rate is None else max(MARGIN, MARGIN_OF_LONG * self.rate.seconds)

    @property
    def tolerance(self) -> float:
        """The seconds after its time for which a slot may be used; later, a request would come too close to others."""
        return self.margin / 2

    @property
    def interval(self) -> float:
        """The seconds from one slot to the next; 0 where requests need no distance.

        They are a little longer than the rate says, because hosts and networks may bring requests closer together than
        they were meant to be. As long as they do so by less than the margin, no period holds more than the rate.
        """
        return 0.0 if self.rate is None else (self.rate.seconds + self.margin) / self.rate.requests

    def allowed(self, quota: Rate, priority: Priority) -> int:
        """Return how much of a quota a class of work may use up: at least one request, so that it goes on at all."""
        share = 1.0 - self.reserve if priority is Priority.BACKFILL else 1.0
        return max(1, math.floor(quota.requests * share + ROUNDING))
