"""What the transports must know of the attempt that sends records through them, whichever provider it uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Sending(NamedTuple):
    """An attempt to bring records into effect.

    Attributes:
        until: ``clock.seconds()`` after which nothing may be written to the system, because the lease would not cover
            its effect any more.
        looks_up: whether what became of a request is looked up before anything is sent again. A refusal that may have
            come after the effect is then left to the look-up.
    """

    until: float = math.inf
    looks_up: bool = False


_current: ContextVar[Sending] = ContextVar("sending", default=Sending())  # noqa: B039 - immutable


def current() -> Sending:
    """Return the attempt that this code runs for; outside of one, a request has no lease and no look-up."""
    return _current.get()


@contextmanager
def sending(until: float, *, looks_up: bool) -> Iterator[None]:
    """Say that what runs within, and the tasks that it begins, sends records for an attempt.

    Args:
        until: as :attr:`Sending.until`.
        looks_up: as :attr:`Sending.looks_up`.
    """
    token = _current.set(Sending(until, looks_up))
    try:
        yield
    finally:
        _current.reset(token)
