"""Executions as result sets: what a LIMS is told of one run of one protocol on one module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.records import Execution, Measurement
from pv_testing.domain.verdict import QualityStatus, verdicts


def result_record(execution: Execution, protocol: Mapping[str, Any] | None, sr_number: str, sample_id: str) -> Record:
    """Return the record of one completed execution.

    Args:
        execution: with its results.
        protocol: the framework's description of the protocol; ``None`` where it knows none.
        sr_number: the service request's number.
        sample_id: the sample's id in the LIMS.
    """
    data: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "sr_number": sr_number,
        "serial_number": execution.serial_number,
        "lims_sample_id": sample_id,
        "protocol_id": execution.protocol_id,
        "protocol": protocol or {},
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "operator": execution.operator,
        "operator_name": operator_name(execution.operator),
        "qc_status": execution.qc_status,
        "equipment": list(execution.equipment),
    }
    try:
        if protocol is None:
            raise DataError(f"the framework knows no protocol {execution.protocol_id!r}", code="PROTOCOL_UNKNOWN")
        if not execution.measurements:
            raise DataError("the execution is complete but has no measurements", code="MEASUREMENTS_MISSING")
        decided, _ = verdicts(execution)
        data["measurements"] = [_measurement(each, decided[each.parameter]) for each in execution.measurements]
    except DataError as error:
        return Record(execution.execution_id, {**data, "said": repr(execution.measurements)}, error)
    return Record(execution.execution_id, data)


def operator_name(operator: Mapping[str, Any]) -> str:
    """Return the operator's name, else the e-mail address, else the id: a person is never left out silently."""
    for field in ("name", "full_name", "email", "id"):
        if operator.get(field):
            return str(operator[field])
    return ""


def _measurement(measurement: Measurement, status: QualityStatus) -> dict[str, Any]:
    if not measurement.unit and not isinstance(measurement.value, str):
        raise DataError(f"{measurement.parameter} has no unit; give it in the framework", code="UNIT_MISSING")
    return {
        "parameter": measurement.parameter,
        "value": measurement.value,
        "unit": measurement.unit,
        "uncertainty": measurement.uncertainty,
        "qc_status": status.value,
    }
