"""A failed execution as a report of non-conformance: what failed, under which conditions, with which equipment.

The text follows from what the framework says and from ``quality.yaml`` alone, so that it is the same each time it is
written: equipment is near or past its calibration date as of the day of the test, not of today. It says what failed and
never guesses why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.evidence import (
    ExecutionCondition,
    Instrument,
    read_conditions,
    read_day,
    read_instruments,
    spelled,
    with_unit,
)
from pv_testing.domain.reading import text
from pv_testing.domain.records import Criterion, Execution, ServiceRequest
from pv_testing.quality.judgement import Judgement, failed_criteria
from pv_testing.quality.policy import QualityPolicy
from pv_testing.quality.retests import EarlierReport

TO_BE_DETERMINED = "Root cause: to be determined."


def nonconformance_record(
    execution: Execution,
    request: ServiceRequest,
    protocol: Mapping[str, Any] | None,
    judgement: Judgement,
    policy: QualityPolicy,
    earlier: EarlierReport | None = None,
) -> Record:
    """Return the record of one failed execution.

    Args:
        execution: with its results.
        request: the service request that it belongs to.
        protocol: the framework's description of the protocol; ``None`` where it knows none.
        judgement: on the execution.
        policy: the laboratory's rules.
        earlier: the report on the last failed test of the same module and protocol.
    """
    name = text((protocol or {}).get("name")) or execution.protocol_id
    data: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "title": f"Module Failed {name}",
        "source": "Testing",
        "detected_at": execution.completed_at,
        "sr_number": request.sr_number,
        "serial_number": execution.serial_number,
        "protocol_id": execution.protocol_id,
        "protocol_name": name,
        "related_documents": [request.sr_number, f"Protocol: {execution.protocol_id}"],
        "affected_items": [{"type": "Module", "id": execution.serial_number, "quantity": 1}],
        **({"earlier_nc": earlier.nc_id} if earlier else {}),
    }
    problem = judgement.problem or _problem(execution)
    if problem is not None:
        return Record(execution.execution_id, {**data, "said": repr(execution.raw.get("results"))}, problem)
    evidence = FailureEvidence.of(execution, policy)
    category = text((protocol or {}).get("category"))
    return Record(
        execution.execution_id,
        {
            **data,
            "severity": policy.severity(execution.protocol_id, evidence.criteria),
            "description": describe(execution, request, name, evidence, judgement.remark, earlier),
            "immediate_cause": immediate_cause(evidence),
            "contributing_factors": evidence.factors(),
            "proposed_corrective_action": evidence.proposal(policy, execution.protocol_id, category),
        },
    )


def _problem(execution: Execution) -> DataError | None:
    if execution.serial_number:
        return None
    message = "the execution doesn't say which module failed; enter the serial number in the framework"
    return DataError(message, code="SERIAL_MISSING")


@dataclass(frozen=True)
class FailureEvidence:
    """What speaks of a failure, as lines for people.

    Attributes:
        criteria: the failed criteria.
        failures: the same as lines.
        conditions: those out of compliance.
        overdue: equipment past its calibration date on the day of the test.
        near: equipment near it.
    """

    criteria: Sequence[Criterion]
    failures: Sequence[str]
    conditions: Sequence[str]
    overdue: Sequence[str]
    near: Sequence[str]

    @classmethod
    def of(cls, execution: Execution, policy: QualityPolicy) -> FailureEvidence:
        """Gather what an execution says.

        Raises:
            DataError: the verdict on a criterion is an unknown word.
        """
        criteria = failed_criteria(execution)
        overdue, near = _calibrations(execution, policy)
        return cls(
            criteria=criteria,
            failures=[_failure(criterion, execution) for criterion in criteria],
            conditions=[_condition(each) for each in read_conditions(execution) if each.compliant is False],
            overdue=overdue,
            near=near,
        )

    def factors(self) -> list[str]:
        """Return what may have contributed: conditions out of compliance and equipment past its calibration date."""
        return [*self.conditions, *self.overdue]

    def proposal(self, policy: QualityPolicy, protocol_id: str, category: str) -> str:
        """Return the proposed action, from the configuration alone."""
        actions = policy.corrective_actions
        proposals = [actions.of(protocol_id, category)]
        for lines, action in ((self.conditions, actions.conditions), (self.overdue, actions.calibration)):
            if lines and action:
                proposals.append(action)
        return " ".join(proposals)


def immediate_cause(evidence: FailureEvidence) -> str:
    """Return what failed, and that the reason is still to be looked for."""
    failures = "; ".join(evidence.failures) or "the verdict on the execution is FAIL, no criterion is named"
    return f"{failures}. {TO_BE_DETERMINED}"


def describe(
    execution: Execution,
    request: ServiceRequest,
    name: str,
    evidence: FailureEvidence,
    remark: str,
    earlier: EarlierReport | None,
) -> str:
    """Return the report's description, in sections."""
    head = (
        f"Module {execution.serial_number} of {request.sr_number} failed {execution.protocol_id} {name} "
        f"in execution {execution.execution_id}."
    )
    retest = f"Retest: execution {earlier.execution_id} failed before, see {earlier.nc_id}." if earlier else ""
    parts = [
        head,
        retest,
        _section("Failed criteria", evidence.failures or ["none is named; the verdict on the execution is FAIL"]),
        _section("Test conditions out of compliance", evidence.conditions or ["none on record"]),
        _section(
            "Equipment near or past its calibration date", [*evidence.overdue, *evidence.near] or ["none on record"]
        ),
        f"Contradiction: {remark}." if remark else "",
        TO_BE_DETERMINED,
    ]
    return "\n\n".join(part for part in parts if part)


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {line}" for line in lines)])


def _failure(criterion: Criterion, execution: Execution) -> str:
    measurements = {each.parameter: each for each in reversed(execution.measurements)}
    measurement = measurements.get(criterion.parameter)
    measured = criterion.raw.get("measured")
    if measured is None and measurement is not None:
        measured = measurement.value
    unit = measurement.unit if measurement is not None and not isinstance(measured, str) else ""
    value = with_unit(measured, unit) or "not recorded"
    expected, tolerance = spelled(criterion.raw.get("expected")), spelled(criterion.raw.get("tolerance"))
    return f"{criterion.parameter}: measured {value}, expected {expected or 'not recorded'}" + (
        f", tolerance {tolerance}" if tolerance else ""
    )


def _condition(condition: ExecutionCondition) -> str:
    wanted = _wanted(condition.target, condition.tolerance)
    return f"{condition.name} was {condition.actual or 'not recorded'}{wanted}"


def _wanted(target: str, tolerance: str) -> str:
    parts = [f"target {target}" if target else "", f"tolerance {tolerance}" if tolerance else ""]
    words = ", ".join(part for part in parts if part)
    return f" ({words})" if words else ""


def _calibrations(execution: Execution, policy: QualityPolicy) -> tuple[list[str], list[str]]:
    """Return the equipment past and near its calibration date on the day of the test."""
    tested = read_day(execution.completed_at, policy.zone)
    overdue: list[str] = []
    near: list[str] = []
    for instrument in read_instruments(execution):
        due = instrument.calibration_due
        if tested is None or due is None:
            continue
        if due < tested:
            overdue.append(_overdue(instrument, (tested - due).days))
        elif due - tested <= timedelta(days=policy.calibration_days):
            near.append(
                f"{instrument.name}: calibration due {due.isoformat()}, {_days((due - tested).days)} after the test"
            )
    return overdue, near


def _overdue(instrument: Instrument, days: int) -> str:
    assert instrument.calibration_due is not None
    due = instrument.calibration_due.isoformat()
    return f"{instrument.name}: calibration was due {due}, {_days(days)} before the test"


def _days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"
