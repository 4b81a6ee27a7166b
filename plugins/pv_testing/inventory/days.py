"""The calendar days of stock movements, from what the framework says, so that another run comes to the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.domain.days import moment
from pv_testing.domain.reading import first
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.inventory.policy import STEPS


def step_days(
    request: ServiceRequest,
    executions: Iterable[Execution],
    steps: Sequence[str],
    known: Mapping[str, date],
    now: datetime,
) -> dict[str, date]:
    """Return the day of each step that a service request has reached.

    The framework doesn't say when a request came to a state, only when it was changed last. Therefore the modules were
    received no later than that and no later than the first execution began, they were stored when the last one ended,
    and they left when the request was changed last. None of them was received before the request was made, nor makes a
    step before the one before it. A day that is known stays, whatever changes later.

    Args:
        request: the service request.
        executions: all that have begun on its modules.
        steps: those that are reached, in their order.
        known: the days from earlier runs.
        now: when it is seen, in the laboratory's time zone; counts where the framework says nothing.
    """
    done = list(executions)
    changed = _known(first(request.raw, "updated_at")) or now
    begun = _moments(execution.started_at for execution in done)
    ended = _moments(execution.completed_at for execution in done)
    there = min([changed, *begun])
    moments = {
        "received": max(there, _known(request.created_at) or there),
        "stored": max(ended, default=changed),
        "leaving": changed,
    }
    days: dict[str, date] = {}
    before = date.min
    for step in STEPS:
        if step in steps:
            before = days[step] = known.get(step) or max(before, moments[step].astimezone(now.tzinfo).date())
    return days


def _moments(values: Iterable[Any]) -> list[datetime]:
    return [known for known in map(_known, values) if known is not None]


def _known(value: Any) -> datetime | None:
    """Return a point in time, or ``None`` where it is none."""
    try:
        return moment(value)
    except DataError:
        return None
