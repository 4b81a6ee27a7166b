"""The framework's states: of a service request, in their order, and of an execution."""

from __future__ import annotations

from typing import Literal, get_args

State = Literal[
    "PENDING_INSPECTION",
    "INSPECTION_COMPLETE",
    "PROTOCOLS_ASSIGNED",
    "TESTING_IN_PROGRESS",
    "TESTING_COMPLETE",
    "ANALYSIS_COMPLETE",
    "REPORTS_APPROVED",
    "CLOSED",
]
STATES: tuple[State, ...] = get_args(State)
TESTED = STATES[3:]

COMPLETE = "COMPLETE"
"""The state of an execution that has results."""
ENDED = frozenset({"STOPPED", "ABORTED", "SKIPPED", "FAILED", "CANCELLED"})
"""The states of an execution that ended without results; what was expected of it still is."""


def rank(status: str) -> int:
    """Return a state's place in the order from 0; an unknown word comes before all of them."""
    return STATES.index(status) if status in STATES else -1
