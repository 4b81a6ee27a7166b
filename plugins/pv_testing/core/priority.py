"""Whose request goes first where all tasks and hosts share one limit."""

from __future__ import annotations

from contextvars import ContextVar
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Priority(IntEnum):
    """A class of work; the lower number goes first."""

    REPLAY = 0
    """A person waits: an operator's replay."""
    NORMAL = 1
    """The sweeps and what an event has started."""
    BULK = 2
    """A service request with so many records that the others would wait for it."""
    BACKFILL = 3
    """Work that no person waits for today."""


class using:  # noqa: N801 - used as a function is
    """A context manager: the requests of the code within, and of the tasks that it begins, have a priority.

    Args:
        priority: of the requests.
    """

    __slots__ = ("_before", "_priority")

    def __init__(self, priority: Priority) -> None:
        self._priority = priority

    def __enter__(self) -> Self:
        self._before = _current.set(self._priority)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._before)


_current: ContextVar[Priority] = ContextVar("priority", default=Priority.NORMAL)


def current() -> Priority:
    """Return the priority of what runs here; normal where nothing else is said."""
    return _current.get()


def behind() -> Priority:
    """Return the priority of the remainder of much work: not above :attr:`Priority.BULK`; a replay keeps its own."""
    return max(current(), Priority.BULK) if current() is not Priority.REPLAY else current()
