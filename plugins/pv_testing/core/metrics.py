"""Counters and timers of the work; the process that carries records sets their destination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Tags = Mapping[str, str]


class Sink(Protocol):
    """The destination of counters and timers."""

    def count(self, name: str, number: int, tags: Tags) -> None:
        """Add to a counter.

        Args:
            name: of the counter, such as ``records``.
            number: to add.
            tags: such as system, operation and result; never a record.
        """

    def time(self, name: str, seconds: float, tags: Tags) -> None:
        """Note the duration of a piece of work.

        Args:
            name: of the timer, such as ``request_seconds``.
            seconds: the duration.
            tags: as for :meth:`count`.
        """


_sink: Sink | None = None


def send_to(sink: Sink | None) -> None:
    """Send everything from now on to a sink, in this process; ``None`` ends that."""
    global _sink  # noqa: PLW0603 - one place a process, as with logging
    _sink = sink


def wanted() -> bool:
    """Whether anything is measured; a request asks before it takes the time."""
    return _sink is not None


def count(name: str, number: int = 1, **tags: str) -> None:
    """Add to a counter; without a sink, nothing happens."""
    if _sink is not None:
        _sink.count(name, number, tags)


def time(name: str, seconds: float, **tags: str) -> None:
    """Note the duration of a piece of work; without a sink, nothing happens."""
    if _sink is not None:
        _sink.time(name, seconds, tags)


def request(system: str, status: int, waited: float, took: float) -> None:
    """Count a request and note its times.

    Args:
        system: which was asked.
        status: of the answer, which is counted by its class; 0 without one.
        waited: seconds that it waited for its turn.
        took: seconds from then to the end of the answer.
    """
    count("requests", system=system, status=f"{status // 100}xx" if status else "none")
    time("wait_seconds", waited, system=system)
    time("request_seconds", took, system=system)
