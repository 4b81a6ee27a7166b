"""Shows what a LIMS is told of an execution, and which executions wait for a person instead."""

from __future__ import annotations

import pytest

from pv_testing.domain.reading import read_execution
from pv_testing.samples.result_sets import result_record

PROTOCOL = {"protocol_id": "PVTP-001", "name": "STC Power Measurement"}


def record(measurements, protocol=PROTOCOL, **fields):
    fields.setdefault("qc_status", "PASS")
    execution = read_execution(
        {"execution_id": 9, "module_id": "A1", **fields}, {"results": {"measurements": measurements}}
    )
    return result_record(execution, protocol, "SR-2025-0001", "LIM-000001")


def test_measurements_keep_their_digits_and_get_their_verdict():
    made = record({"Pmax": {"value": 398.50, "unit": "W", "uncertainty": 1.2}}, operator={"name": "O. Perez"})
    assert made.problem is None
    assert made.key == "9"
    assert made.data["measurements"] == [
        {"parameter": "Pmax", "value": 398.50, "unit": "W", "uncertainty": 1.2, "qc_status": "PASS"}
    ]
    assert made.data["operator_name"] == "O. Perez"


@pytest.mark.parametrize(
    ("measurements", "fields", "code"),
    [
        ({"Pmax": {"value": 398.5}}, {}, "UNIT_MISSING"),
        ({"Pmax": {"value": 398.5, "unit": "W"}}, {"qc_status": "splendid"}, "STATUS_UNKNOWN"),
        ({"Pmax": {"value": 398.5, "unit": "W"}}, {"qc_status": ""}, "VERDICT_MISSING"),
        ({"Pmax": {"value": 398.5, "unit": "W"}}, {"protocol": None}, "PROTOCOL_UNKNOWN"),
        ({}, {}, "MEASUREMENTS_MISSING"),
    ],
)
def test_what_cannot_be_carried_keeps_its_reason(measurements, fields, code):
    made = record(measurements, **fields)
    assert made.problem is not None
    assert made.problem.code == code


def test_an_operator_without_a_name_is_still_named_by_what_is_known():
    assert record({"Pmax": {"value": 1, "unit": "W"}}, operator_id=42).data["operator_name"] == "42"


def test_a_finding_in_words_needs_no_unit():
    assert record({"Visual": {"value": "no cracks"}}).problem is None
