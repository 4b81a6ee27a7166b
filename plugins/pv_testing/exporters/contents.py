"""The tables of an export, by their names in ``sheets``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pv_testing.core.errors import ConfigError, DataError
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.values import instant
from pv_testing.domain.records import Execution, Measurement
from pv_testing.domain.status import COMPLETE
from pv_testing.domain.verdict import QualityStatus, read_status, verdicts
from pv_testing.exporters.reading import Dossier
from pv_testing.exporters.tables import Table
from pv_testing.samples.result_sets import operator_name

RAW = "raw_data"
RESULTS = "result_data"
Rows = Iterator[dict[str, Any]]


def content(name: str, dossier: Dossier) -> Table:
    """Return a table, whose rows are made when they are read.

    Args:
        name: one of :data:`CONTENTS`.
        dossier: the service request with its tests.

    Raises:
        ConfigError: there is no such table (``SHEET_UNUSABLE``).
    """
    if name not in {*CONTENTS, RESULTS}:
        known = allowed(str(name), [*CONTENTS, RESULTS])
        raise ConfigError(f"there is no table {name!r}; {known}", code=Reason.SHEET_UNUSABLE)
    if name == RESULTS:
        return _results(dossier)
    names, rows = CONTENTS[name]
    columns = names.split()
    return Table(columns, ([row.get(column) for column in columns] for row in rows(dossier)))


def verdict(execution: Execution, measurement: Measurement | None = None) -> QualityStatus:
    """Return the verdict on a measurement or on the whole execution; an unknown word is undecided.

    Args:
        execution: the execution.
        measurement: one of its measurements.
    """
    try:
        if measurement is None:
            return read_status(execution.qc_status)
        decided, _ = verdicts(replace(execution, measurements=(measurement,)))
    except DataError:
        return QualityStatus.UNDECIDED
    return decided[measurement.parameter]


def when(moment: str, execution: Execution) -> str:
    """Return a point in time in UTC; empty where there is none.

    Raises:
        DataError: it is none.
    """
    try:
        return instant(moment) if moment else ""
    except DataError as error:
        raise error.about(system="framework", key=execution.execution_id) from None


def _summary(dossier: Dossier) -> Rows:
    request, executions = dossier.request, dossier.executions
    complete = [each for each in executions if each.status == COMPLETE]
    judged = Counter(verdict(each) for each in complete)
    facts = {
        "service request": request.sr_number,
        "status": request.status,
        "customer": request.customer.get("name"),
        "contact": request.customer.get("contact_person"),
        "purchase order": request.purchase_order,
        "created": request.created_at,
        "delivery date": request.delivery_date,
        "modules": request.quantity,
        "serial numbers": ", ".join(module.serial_number for module in request.modules),
        "protocols": ", ".join(request.protocols),
        "executions begun": len(executions),
        "executions complete": len(complete),
        **{f"verdict {status.value}": judged[status] for status in QualityStatus},
    }
    yield from ({"field": name, "value": value} for name, value in facts.items())


def _about(dossier: Dossier, execution: Execution) -> dict[str, Any]:
    return {
        "sr_number": dossier.request.sr_number,
        "execution_id": execution.execution_id,
        "protocol_id": execution.protocol_id,
        "protocol_name": dossier.protocol_name(execution),
        "serial_number": execution.serial_number,
        "completed_at": when(execution.completed_at, execution),
        "operator": operator_name(execution.operator),
    }


def _executions(dossier: Dossier) -> Rows:
    for execution in dossier.executions:
        yield {
            **_about(dossier, execution),
            "status": execution.status,
            "qc_status": verdict(execution).value if execution.status == COMPLETE else "",
            "started_at": when(execution.started_at, execution),
            "equipment": list(execution.equipment),
        }


def _measurements(dossier: Dossier) -> Rows:
    for execution in dossier.executions:
        about = _about(dossier, execution)
        for each in execution.measurements:
            yield {
                **about,
                "parameter": each.parameter,
                "value": each.value,
                "unit": each.unit,
                "uncertainty": each.uncertainty,
                "qc_status": verdict(execution, each).value,
            }


def _criteria(dossier: Dossier) -> Rows:
    for execution in dossier.executions:
        if execution.status != COMPLETE:
            continue
        judged = {
            **_about(dossier, execution),
            "qc_status": verdict(execution).value,
            "framework_status": execution.qc_status,
        }
        for each in execution.criteria:
            limits = {name: each.raw.get(name) for name in ("expected", "tolerance", "measured")}
            yield {**judged, "parameter": each.parameter, "result": each.result, **limits}
        if not execution.criteria:
            yield judged


def _points(dossier: Dossier) -> Rows:
    for execution in dossier.executions:
        about = _about(dossier, execution)
        for point in dossier.points.get(execution.execution_id, ()):
            yield {**about, **point._asdict()}


def _results(dossier: Dossier) -> Table:
    """Return one row for each execution, with a column for each quantity in its unit."""
    complete = [each for each in dossier.executions if each.status == COMPLETE]
    measured = [[(heading(each), each.value) for each in execution.measurements] for execution in complete]
    names = list(dict.fromkeys(name for values in measured for name, _ in values))
    about = ["sr_number", "execution_id", "protocol_id", "protocol_name", "serial_number", "operator", "qc_status"]
    rows = (
        [{**_about(dossier, each), "qc_status": verdict(each).value}[name] for name in about]
        + [_point_in_time(each)]
        + [dict(values).get(name) for name in names]
        for each, values in zip(complete, measured, strict=True)
    )
    return Table([*about, "completed_at [UTC]", *names], rows)


def heading(measurement: Measurement) -> str:
    """Return the heading of a column that shows one quantity in its unit."""
    return f"{measurement.parameter} [{measurement.unit}]" if measurement.unit else measurement.parameter


def _point_in_time(execution: Execution) -> datetime | None:
    timestamp = when(execution.completed_at, execution)
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")) if timestamp else None


_TEST = "sr_number execution_id protocol_id protocol_name serial_number"
CONTENTS: Mapping[str, tuple[str, Callable[[Dossier], Rows]]] = {
    "summary_data": ("field value", _summary),
    "measurement_data": (
        f"{_TEST} completed_at operator parameter value unit uncertainty qc_status",
        _measurements,
    ),
    "qc_data": (
        f"{_TEST} completed_at qc_status framework_status parameter result expected tolerance measured",
        _criteria,
    ),
    "execution_data": (f"{_TEST} status qc_status started_at completed_at operator equipment", _executions),
    RAW: (f"{_TEST} series number quantity value unit timestamp", _points),
}
