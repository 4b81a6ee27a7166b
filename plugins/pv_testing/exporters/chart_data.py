"""What the charts of a workbook show: some I-V curves, and what each stress has cost each module."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pv_testing.domain.records import Execution
from pv_testing.domain.status import COMPLETE
from pv_testing.exporters.reading import Dossier

MOST_CURVES = 8
MOST_POINTS = 200
BEFORE, AFTER, LOSS = "Pmax_Initial", "Pmax_Final", "Power_Degradation"
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Curve(NamedTuple):
    """One I-V curve.

    Attributes:
        name: of module and execution.
        points: voltage in V and current in A, at most some hundred.
    """

    name: str
    points: Sequence[tuple[Any, Any]]


class Stress(NamedTuple):
    """What a stress has cost a module.

    Attributes:
        module: its serial number.
        protocol: the identifier of the protocol.
        before: the maximum power before, in the unit of the framework.
        after: the same after.
        loss: the degradation in percent, as the framework says it.
        limit: the most that its criterion allows, in percent; ``None`` where no criterion says it.
        unit: of the power.
    """

    module: str
    protocol: str
    before: Any
    after: Any
    loss: Any
    limit: Decimal | None
    unit: str


def curves(dossier: Dossier) -> list[Curve]:
    """Return the I-V curves of the first executions that have one; the points of long ones are thinned out."""
    selected: list[Curve] = []
    for execution in dossier.executions:
        if len(selected) == MOST_CURVES:
            break
        if execution.status == COMPLETE and not _measured(execution, LOSS):
            points = _curve(dossier, execution)
            if points:
                name = f"{execution.serial_number} {execution.protocol_id} ({execution.execution_id})"
                selected.append(Curve(name, points[:: max(1, len(points) // MOST_POINTS)]))
    return selected


def _curve(dossier: Dossier, execution: Execution) -> list[tuple[Any, Any]]:
    columns: dict[int, dict[str, Any]] = defaultdict(dict)
    for point in dossier.points.get(execution.execution_id, ()):
        if point.quantity in {"voltage", "current"} and point.series.startswith("iv"):
            columns[point.number][point.quantity] = point.value
    pairs = [(each.get("voltage"), each.get("current")) for each in columns.values()]
    return [pair for pair in pairs if None not in pair]


def stresses(dossier: Dossier) -> list[Stress]:
    """Return what each stress has cost each module, by module, where power was measured before and after."""
    costs = []
    for execution in dossier.executions:
        before, after, loss = (_measured(execution, name) for name in (BEFORE, AFTER, LOSS))
        if execution.status == COMPLETE and before and after:
            percent = loss.value if loss else None
            names = (execution.serial_number, execution.protocol_id)
            costs.append(Stress(*names, before.value, after.value, percent, _limit(execution), before.unit))
    return sorted(costs, key=lambda each: (each.module, each.protocol))


def _measured(execution: Execution, parameter: str) -> Any:
    return next((each for each in execution.measurements if each.parameter == parameter), None)


def _limit(execution: Execution) -> Decimal | None:
    """Return the limit that the criterion itself says, such as ``at most 5 %``; none is invented."""
    for criterion in execution.criteria:
        number = _NUMBER.search(str(criterion.raw.get("expected") or ""))
        if criterion.parameter == LOSS and number:
            return Decimal(number.group())
    return None
