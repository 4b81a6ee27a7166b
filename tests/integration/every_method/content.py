"""What a LIMS has, in words that are the same for all of them, and what it must have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import sandbox

VERDICTS = {"P": "PASS", "F": "FAIL"}
"""What verdicts are where they are letters."""
DERIVED = {"fill_factor": "Fill_Factor", "efficiency": "Efficiency"}
"""The percentages that the framework has apart from the measurements, without an uncertainty."""


class Sample(NamedTuple):
    """A sample, without what each LIMS has of its own: ids, statuses, the words of sample types."""

    project: str
    serial: str
    customer: str
    model: str


class Value(NamedTuple):
    """A measured value."""

    analyte: str
    value: Decimal
    unit: str
    uncertainty: Decimal | None
    verdict: str

    @classmethod
    def of(cls, analyte: str, value: Any, unit: str, uncertainty: Any, verdict: str) -> Value:
        """Return a value as any LIMS writes it."""
        unsure = None if uncertainty in {None, ""} else Decimal(str(uncertainty))
        return cls(analyte, Decimal(str(value)), unit, unsure, VERDICTS.get(verdict, verdict))


class ResultSet(NamedTuple):
    """The results of one execution on one sample."""

    serial: str
    execution: str
    revision: int
    test: str
    at: datetime
    operator: str
    values: tuple[Value, ...]

    @classmethod
    def of(
        cls, serial: str, execution: Any, revision: Any, test: str, at: Any, operator: str, values: Iterable[Value]
    ) -> ResultSet:
        """Return a result set as any LIMS writes it; a time without zone is UTC."""
        if isinstance(at, str):
            at = datetime.fromisoformat(at.replace("Z", "+00:00"))
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
        return cls(serial, str(execution), int(revision), test, at, operator, tuple(sorted(values)))

    @classmethod
    def of_words(cls, serial: str, row: Mapping[str, Any], values: Iterable[Mapping[str, Any]]) -> ResultSet:
        """Return a result set in the words of the integration guide."""
        names = ("analyte", "value", "unit", "uncertainty", "status")
        read = [Value.of(*(each.get(name) for name in names)) for each in values]
        about = [row[name] for name in ("external_id", "revision", "test_id", "test_date", "operator")]
        return cls.of(serial, *about, read)


class Content(NamedTuple):
    """What a LIMS has, sorted, so that two of them can be compared; what is there twice comes twice."""

    samples: list[Sample]
    results: list[ResultSet]

    @classmethod
    def of(cls, samples: Iterable[Sample], results: Iterable[ResultSet]) -> Content:
        """Return the content of some rows."""
        return cls(sorted(samples), sorted(results))


def expected(lab: sandbox.Lab) -> Content:
    """Return what a LIMS must have in the end, as the framework's own database says."""
    users = {row["id"]: row["full_name"] for row in lab.framework_rows("SELECT * FROM users")}
    (request,) = lab.framework_rows("SELECT * FROM service_requests")
    customer, module = json.loads(request["customer"])["name"], json.loads(request["module"])
    samples = [Sample(request["sr_number"], each, customer, module["model"]) for each in module["serial_numbers"]]
    return Content.of(samples, [_expected(row, users) for row in lab.framework_rows("SELECT * FROM executions")])


def _expected(row: Mapping[str, Any], users: Mapping[int, str]) -> ResultSet:
    results = json.loads(row["results"])
    verdicts = {each["parameter"]: each["result"] for each in results["pass_fail"]["criteria"]}
    derived = {DERIVED[name]: {"value": value, "unit": "%"} for name, value in results["analysis"].items()}
    values = [
        Value.of(name, each["value"], each["unit"], each.get("uncertainty"), verdicts.get(name, row["qc_status"]))
        for name, each in {**results["measurements"], **derived}.items()
    ]
    about = (row["execution_id"], 1, row["protocol_id"], row["completed_at"], users[row["operator_id"]])
    return ResultSet.of(row["module_id"], *about, values)
