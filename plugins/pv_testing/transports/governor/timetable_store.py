"""Where the timetable of a system is kept, so that all tasks and hosts see the same one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from pv_testing.transports.governor.timetable import Grant, State

Change = Callable[[State, float], tuple[State, Grant]]
"""Makes the new state and the grant, of the state that is kept and the epoch seconds of the store's clock."""


class Leased(NamedTuple):
    """What a store answers.

    Attributes:
        grant: what the change has made.
        now: epoch seconds on the store's clock that the change was given.
        read_at: ``clock.seconds()`` of this process right after that clock was read.
    """

    grant: Grant
    now: float
    read_at: float


class TimetableStore(Protocol):
    """Keeps timetables; its methods are called in threads."""

    def change(self, system: str, change: Change) -> Leased:
        """Change a system's timetable in one transaction.

        Args:
            system: whose.
            change: may be called more than once.

        Raises:
            IntegrationError: the store can't be used; nothing may be sent.
        """

    def close(self) -> None:
        """Close what the store has opened itself."""
