"""What was done for a service request: which modules were tested in which protocol, and what isn't billed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from pv_testing.billing.policy import PASSED
from pv_testing.core.errors import DataError
from pv_testing.core.values import instant
from pv_testing.domain.records import Execution
from pv_testing.domain.verdict import QualityStatus, read_status

COMPLETE = "COMPLETE"
LISTED = 20


@dataclass(frozen=True)
class Work:
    """The tests of one service request.

    Attributes:
        modules: the serial numbers that were tested, by protocol; a module that was tested again counts once.
        left_out: executions that aren't billed, by protocol and number.
        done_on: the day of the last billed execution; ``None`` where no time is known.
    """

    modules: Mapping[str, frozenset[str]]
    left_out: tuple[Execution, ...]
    done_on: date | None

    def tested(self, protocol: str) -> int:
        """Return how many modules were tested in a protocol."""
        return len(self.modules.get(protocol, ()))

    def notes(self) -> list[str]:
        """Say which executions aren't billed; no more than twenty by name."""
        notes = [_left_out(execution) for execution in self.left_out[:LISTED]]
        more = len(self.left_out) - LISTED
        return [*notes, f"not billed: {more} more executions"] if more > 0 else notes


def work_of(executions: Iterable[Execution], billed: str, zone: tzinfo) -> Work:
    """Return the work that the executions of one service request amount to.

    Args:
        executions: all of them, in any order.
        billed: ``completed``, or ``passed`` to bill only those.
        zone: the laboratory's time zone.

    Raises:
        DataError: only passed ones are billed, and a verdict is an unknown word (``STATUS_UNKNOWN``).
    """
    modules: dict[str, set[str]] = {}
    left_out = []
    days = []
    for execution in executions:
        if _is_billed(execution, billed):
            modules.setdefault(execution.protocol_id, set()).add(execution.serial_number)
            days.append(_day(execution.completed_at, zone))
        else:
            left_out.append(execution)
    left_out.sort(key=lambda each: (each.protocol_id, each.serial_number, each.execution_id))
    known = {protocol: frozenset(serials) for protocol, serials in modules.items()}
    return Work(known, tuple(left_out), max((day for day in days if day), default=None))


def _is_billed(execution: Execution, billed: str) -> bool:
    if execution.status != COMPLETE or not execution.serial_number:
        return False
    return billed != PASSED or read_status(execution.qc_status) is QualityStatus.PASS


def _left_out(execution: Execution) -> str:
    why = execution.status if execution.status != COMPLETE else f"COMPLETE {execution.qc_status}".strip()
    module = execution.serial_number or "an unnamed module"
    return f"not billed: execution {execution.execution_id}, {execution.protocol_id} on {module}, {why}"


def _day(completed_at: str, zone: tzinfo) -> date | None:
    try:
        return datetime.fromisoformat(instant(completed_at).replace("Z", "+00:00")).astimezone(zone).date()
    except DataError:
        return None
