"""Measures what a call computes, independent of other work of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable


def shortest(call: Callable[[], object], rounds: int) -> float:
    """Return the shortest of several times of a call, in processor seconds of this thread.

    Args:
        call: computes in this thread.
        rounds: how many times it is called.
    """
    times: list[float] = []
    for _ in range(rounds):
        begun = time.thread_time()
        call()
        times.append(time.thread_time() - begun)
    return min(times)
