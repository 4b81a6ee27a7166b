"""Which service requests a step is about: all in some states, or the one that a person names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pv_testing.core.errors import DataError
from pv_testing.domain.status import STATES, TESTED

if TYPE_CHECKING:
    from pv_testing.integrations.framework import FrameworkClient

OPEN = STATES[:-1]
UNDER_TEST = TESTED[:-1]


def choose(framework: FrameworkClient, states: Iterable[str], wanted: str = "") -> dict[str, int]:
    """Return the ids of service requests by their numbers, in the framework's order.

    Args:
        framework: where they are.
        states: the states to look in; the framework is asked for one after the other, so that closed ones cost nothing.
        wanted: the number or the id of the only one, whatever its state; all where it is empty.

    Raises:
        DataError: the wanted one is not among them (``SR_UNKNOWN``).
    """
    if wanted.isdigit():
        return {str(framework.get_service_request(int(wanted))["sr_number"]): int(wanted)}
    if wanted:
        return {wanted: _id_of(framework, wanted)}
    chosen: dict[str, int] = {}
    for state in states:
        for request in framework.list_service_requests(status=state):
            chosen[request["sr_number"]] = int(request["id"])
    return chosen


def _id_of(framework: FrameworkClient, sr_number: str) -> int:
    for request in framework.list_service_requests():
        if request["sr_number"] == sr_number:
            return int(request["id"])
    message = "no such service request; check its number"
    raise DataError(message, system="framework", key=sr_number, code="SR_UNKNOWN")
