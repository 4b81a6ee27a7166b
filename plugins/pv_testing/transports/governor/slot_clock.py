"""From a store's clock to this process's own, and how long the store takes to answer."""

from __future__ import annotations

from collections import deque
from statistics import median

from pv_testing.transports.governor.timetable_store import Leased

SAMPLES = 16
LEAST_LEAD, MOST_LEAD = 0.02, 2.0
STEP = 1.0
"""Seconds by which one of the clocks must have been set for what was learned before to count no more."""


class SlotClock:
    """Learns from each lease.

    The store's clock is read some time before its answer is here. The shortest of these times comes closest to the
    truth, and it never makes a slot seem earlier than it is.

    Attributes:
        lead: seconds within which a store mostly answers; a slot that an answer comes too late for is given up.
    """

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=SAMPLES)
        self._took: deque[float] = deque(maxlen=SAMPLES // 2)
        self.lead = 0.05

    def learn(self, leased: Leased, took: float) -> None:
        """Learn from an answer.

        Args:
            leased: the answer.
            took: seconds from the question to the answer.
        """
        offset = leased.read_at - leased.now
        if self._offsets and abs(offset - min(self._offsets)) > STEP:
            self._offsets.clear()
        self._offsets.append(offset)
        self._took.append(took)
        self.lead = min(MOST_LEAD, max(LEAST_LEAD, 1.5 * median(self._took) + 0.01))

    def local(self, moment: float) -> float:
        """Return the ``clock.seconds()`` of a moment on the store's clock."""
        return moment + min(self._offsets)
