"""The lease of the attempt that sends records, as far as the transports must know of it, whichever provider it uses."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class until:  # noqa: N801 - used as a function is
    """A context manager: the code within, and the tasks that it begins, send records under a lease.

    Args:
        moment: the ``clock.seconds()`` after which the lease would not cover the effect of a request any more.

    Attributes:
        moment: the same.
        asked: whether the transports were asked for anything.
        wrote: whether anything that may have an effect was written to a socket.
    """

    __slots__ = ("_before", "asked", "moment", "wrote")

    def __init__(self, moment: float) -> None:
        self.moment = moment
        self.asked = False
        self.wrote = False

    def __enter__(self) -> Self:
        self._before = _attempt.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _attempt.reset(self._before)

    @property
    def unsent(self) -> bool:
        """Whether surely nothing was sent; false where the transports were not asked, because others may have sent."""
        return self.asked and not self.wrote


_attempt: ContextVar[until | None] = ContextVar("lease", default=None)


def end() -> float:
    """Return the ``clock.seconds()`` after which nothing may be written to a system; without a lease, infinity."""
    attempt = _attempt.get()
    return math.inf if attempt is None else attempt.moment


def asks() -> bool:
    """Note that the transports are asked for a request, and return whether an attempt holds records under a lease.

    The effect of its requests is looked up, or left to a person, before anything is sent again. Therefore a refusal
    that may have come after the effect is never followed by a repetition here.
    """
    attempt = _attempt.get()
    if attempt is None:
        return False
    attempt.asked = True
    return True


def writes() -> None:
    """Note that a request which may have an effect is written."""
    attempt = _attempt.get()
    if attempt is not None:
        attempt.wrote = True


def unsent() -> bool:
    """Whether the attempt has surely sent nothing yet."""
    attempt = _attempt.get()
    return attempt is not None and attempt.unsent
