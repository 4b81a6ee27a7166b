"""Raw data: the points of curves and time series, one value at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

TIME_SERIES = "time_series"


class Point(NamedTuple):
    """One value of a curve or a time series.

    Attributes:
        series: the name of the curve or series, such as ``iv_curve_data``.
        number: its place there, from 1.
        quantity: such as ``voltage``.
        value: as it came.
        unit: as given; empty where the framework gives none.
        timestamp: as given; empty where there is none.
    """

    series: str
    number: int
    quantity: str
    value: Any
    unit: str = ""
    timestamp: str = ""


def points(row: Mapping[str, Any]) -> Iterator[Point]:
    """Yield the values of every curve and time series of an execution.

    Args:
        row: the execution as the framework gives it. A curve is a mapping of lists of values, such as ``voltage`` and
            ``current``, beside or within ``results``; a time series is the list of measurements that have a timestamp.
    """
    inner = row.get("results")
    for name, curve in {**row, **(inner if isinstance(inner, Mapping) else {})}.items():
        if isinstance(curve, Mapping):
            yield from _curve(name, curve)
    measured = row.get("measurements")
    for number, each in enumerate(measured if isinstance(measured, list) else [], start=1):
        if isinstance(each, Mapping) and each.get("timestamp"):
            parameter, unit = str(each.get("parameter") or ""), str(each.get("unit") or "")
            yield Point(TIME_SERIES, number, parameter, each.get("value"), unit, str(each["timestamp"]))


def _curve(name: str, curve: Mapping[str, Any]) -> Iterator[Point]:
    columns = {quantity: values for quantity, values in curve.items() if _is_column(values)}
    given = curve.get("units")
    units = given if isinstance(given, Mapping) else {}
    for number in range(max(map(len, columns.values()), default=0)):
        for quantity, values in columns.items():
            if number < len(values):
                yield Point(name, number + 1, quantity, values[number], str(units.get(quantity) or ""))


def _is_column(values: Any) -> bool:
    """Return whether something is a list of values, some of them numbers; a list of names is no curve."""
    if not isinstance(values, list) or any(isinstance(value, (Mapping, list)) for value in values):
        return False
    return any(isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) for value in values)
