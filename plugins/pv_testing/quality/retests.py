"""Retests: later executions of the same protocol on the same module within a service request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pv_testing.core.errors import DataError
from pv_testing.core.values import instant
from pv_testing.domain.records import Execution


class EarlierReport(NamedTuple):
    """The non-conformance of the last failed test before a retest.

    Attributes:
        execution_id: of that test.
        nc_id: of its report in the QMS.
    """

    execution_id: str
    nc_id: str


def earlier_tests(executions: Iterable[Execution]) -> dict[str, tuple[str, ...]]:
    """Return for each execution those before it of the same protocol on the same module, the latest first.

    Args:
        executions: all completed ones of a service request.
    """
    groups: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in executions:
        module = execution.serial_number or f"of execution {execution.execution_id}"
        groups[execution.protocol_id, module].append(execution)
    earlier: dict[str, tuple[str, ...]] = {}
    for group in groups.values():
        before: tuple[str, ...] = ()
        for execution in sorted(group, key=_order):
            earlier[execution.execution_id] = before
            before = (execution.execution_id, *before)
    return earlier


def _order(execution: Execution) -> tuple[str, int, str]:
    """Order by completion; an id that counts up decides between tests that ended together."""
    try:
        at = instant(execution.completed_at)
    except DataError:
        at = execution.completed_at
    number = int(execution.execution_id) if execution.execution_id.isdigit() else 0
    return at, number, execution.execution_id
