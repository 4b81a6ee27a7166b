"""Wall-clock and CPU time of a piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """What some records cost.

    Attributes:
        records: how many.
        seconds: by the clock on the wall.
        cpu: seconds of this process's CPU.
    """

    records: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def microseconds(self) -> float:
        """CPU time of one record."""
        return self.cpu / self.records * 1e6


def timed(records: int, work: Callable[[], object]) -> Timing:
    """Do the work once and say what it cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timing(records, time.perf_counter() - wall, time.process_time() - cpu)


def median(timings: list[Timing]) -> Timing:
    """Return the timing in the middle."""
    return sorted(timings, key=lambda timing: timing.rate)[len(timings) // 2]
