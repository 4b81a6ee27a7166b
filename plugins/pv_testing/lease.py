"""The lease of the attempt that sends records, as far as the transports must know of it, whichever provider it uses."""

from __future__ import annotations

import math
from contextvars import ContextVar

_end: ContextVar[float] = ContextVar("lease_end", default=math.inf)


def end() -> float:
    """Return the ``clock.seconds()`` after which nothing may be written to a system; without a lease, infinity."""
    return _end.get()


def held() -> bool:
    """Whether this code runs for an attempt that holds records under a lease.

    What became of its requests is looked up, or left to a person, before anything is sent again. Therefore a refusal
    that may have come after the effect is never followed by a repetition here.
    """
    return _end.get() < math.inf


class until:  # noqa: N801 - used as a function is
    """Says that what runs within, and the tasks that it begins, sends records under a lease; a context manager.

    Args:
        moment: the ``clock.seconds()`` after which the lease would not cover the effect of a request any more.
    """

    __slots__ = ("_before", "_moment")

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def __enter__(self) -> None:
        self._before = _end.set(self._moment)

    def __exit__(self, *_: object) -> None:
        _end.reset(self._before)
