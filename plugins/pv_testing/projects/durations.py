"""Hours: of equipment, which runs from the start to the end, and of the operator, who doesn't watch it all the time."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from pv_testing.core.errors import DataError
from pv_testing.domain.days import moment
from pv_testing.domain.records import Execution
from pv_testing.projects.policy import HoursRule

HUNDREDTH = Decimal("0.01")
_SECONDS = Decimal(3600)


def duration(execution: Execution) -> Decimal:
    """Return the hours from start to end; the protocol's own estimate never counts.

    Args:
        execution: a completed one.

    Raises:
        DataError: the framework doesn't say when it began or ended (``TIMES_MISSING``), or it ended before it began
            (``TIMES_REVERSED``).
    """
    return _hours(execution).quantize(HUNDREDTH, ROUND_HALF_UP)


def operator_hours(execution: Execution, rule: HoursRule) -> Decimal:
    """Return the hours that the operator worked on an execution: a share of its time, up to a cap.

    Args:
        execution: a completed one.
        rule: the share and the cap.

    Raises:
        DataError: as for :func:`duration`.
    """
    return min(_hours(execution) * rule.ratio, rule.cap).quantize(HUNDREDTH, ROUND_HALF_UP)


def _hours(execution: Execution) -> Decimal:
    absent = [name for name in ("started_at", "completed_at") if not getattr(execution, name)]
    if absent:
        message = f"the framework doesn't say {' and '.join(absent)} of the execution; enter it there"
        raise DataError(message, code="TIMES_MISSING")
    passed = moment(execution.completed_at) - moment(execution.started_at)
    if passed.total_seconds() < 0:
        message = f"the execution ends at {execution.completed_at}, before it starts at {execution.started_at}"
        raise DataError(message, code="TIMES_REVERSED")
    return Decimal(str(passed.total_seconds())) / _SECONDS
