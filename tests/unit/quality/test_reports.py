"""What a report of non-conformance says: facts in a fixed order, a severity from the rules, never a guessed cause."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from pv_testing.core.errors import ConfigError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import ServiceRequest
from pv_testing.quality.judgement import judge
from pv_testing.quality.policy import MAJOR, MINOR, QualityPolicy
from pv_testing.quality.reports import nonconformance_record
from pv_testing.quality.retests import EarlierReport, earlier_tests

REQUEST = ServiceRequest(123, "SR-2025-0123", "TESTING_IN_PROGRESS", {}, (), 1, ("PVTP-001",))
PROTOCOL = {"protocol_id": "PVTP-001", "name": "STC Power Measurement", "category": "Module Performance"}
PMAX = {"parameter": "Pmax", "expected": "400 W", "tolerance": "-3/+5 %", "measured": 371.2, "result": "FAIL"}
VOC = {"parameter": "Voc", "expected": "49.5 V", "tolerance": "±2 %", "measured": 49.4, "result": "PASS"}


def execution(criteria=(PMAX, VOC), qc_status="FAIL", overall=None, **fields):
    results = {
        "measurements": {"Pmax": {"value": 371.2, "unit": "W"}, "Voc": {"value": 49.4, "unit": "V"}},
        "qc_status": qc_status,
        "pass_fail": {"overall": qc_status if overall is None else overall, "criteria": list(criteria)},
    }
    listed = {
        "execution_id": 5678,
        "protocol_id": "PVTP-001",
        "module_id": "SN001",
        "completed_at": "2025-11-13T15:30:00Z",
        "status": "COMPLETE",
    }
    conditions = fields.pop("test_conditions", None)
    return read_execution({**listed, **fields}, {"results": {**results, "test_conditions": conditions}})


def written(run, policy=None, earlier=None, protocol=PROTOCOL):
    return nonconformance_record(run, REQUEST, protocol, judge(run), policy or QualityPolicy(), earlier)


def test_a_report_says_what_failed_and_that_the_cause_is_unknown():
    record = written(execution())
    assert record.key == record.data["execution_id"] == "5678"
    assert record.data["title"] == "Module Failed STC Power Measurement"
    assert record.data["immediate_cause"] == (
        "Pmax: measured 371.2 W, expected 400 W, tolerance -3/+5 %. Root cause: to be determined."
    )
    assert record.data["detected_at"] == "2025-11-13T15:30:00Z"
    assert record.data["affected_items"] == [{"type": "Module", "id": "SN001", "quantity": 1}]
    assert record.data["description"] == (
        "Module SN001 of SR-2025-0123 failed PVTP-001 STC Power Measurement in execution 5678.\n\n"
        "Failed criteria:\n"
        "- Pmax: measured 371.2 W, expected 400 W, tolerance -3/+5 %\n\n"
        "Test conditions out of compliance:\n"
        "- none on record\n\n"
        "Equipment near or past its calibration date:\n"
        "- none on record\n\n"
        "Root cause: to be determined."
    )


def test_conditions_out_of_compliance_are_named_and_are_factors():
    conditions = {
        "irradiance": {"target": 1000, "actual": 1041.5, "unit": "W/m²", "tolerance": "±2 %", "compliant": False},
        "temperature": {"target": 25, "actual": 25.3, "unit": "°C", "tolerance": "±2 °C", "compliant": True},
        "relative_humidity": {"actual": 54.0, "unit": "%"},
        "spectrum": "AM1.5G",
    }
    data = written(execution(test_conditions=conditions)).data
    line = "irradiance was 1041.5 W/m² (target 1000 W/m², tolerance ±2 %)"
    assert data["contributing_factors"] == [line]
    assert f"Test conditions out of compliance:\n- {line}\n\n" in data["description"]
    assert data["proposed_corrective_action"].endswith("Repeat the test under compliant conditions.")


@pytest.mark.parametrize(
    ("due", "text", "is_factor"),
    [
        ("2025-11-12", "simulator SIM-001: calibration was due 2025-11-12, 1 day before the test", True),
        ("2025-11-13", "simulator SIM-001: calibration due 2025-11-13, 0 days after the test", False),
        ("2025-12-13T00:00:00Z", "simulator SIM-001: calibration due 2025-12-13, 30 days after the test", False),
        ("2025-12-14", "none on record", False),
        ("soon", "none on record", False),
        (None, "none on record", False),
    ],
)
def test_equipment_is_near_or_past_its_calibration_on_the_day_of_the_test(due, text, is_factor):
    equipment = {"simulator": {"id": "SIM-001", "calibration_due": due}, "tracer": "IVT-001"}
    data = written(execution(equipment=equipment)).data
    assert f"Equipment near or past its calibration date:\n- {text}\n\n" in data["description"]
    assert bool(data["contributing_factors"]) is is_factor
    assert ("Calibrate the equipment" in data["proposed_corrective_action"]) is is_factor


@pytest.mark.parametrize(
    ("completed_at", "zone", "late"),
    [
        ("2025-11-13T23:30:00Z", "UTC", False),
        ("2025-11-13T23:30:00Z", "Europe/Berlin", True),
        ("2025-11-14T03:30:00Z", "America/New_York", False),
        ("2025-11-13", "America/New_York", False),
        ("2025-11-14", "America/New_York", True),
    ],
)
def test_the_day_of_the_test_is_the_laboratorys(completed_at, zone, late):
    equipment = {"simulator": {"id": "SIM-001", "calibration_due": "2025-11-13"}}
    policy = QualityPolicy.of({}, ZoneInfo(zone))
    description = written(execution(equipment=equipment, completed_at=completed_at), policy).data["description"]
    assert ("calibration was due 2025-11-13, 1 day before the test" in description) is late


def test_the_days_that_count_as_near_are_configured():
    equipment = {"simulator": {"id": "SIM-001", "calibration_due": "2025-11-20"}}
    policy = QualityPolicy.of({"calibration_days": 6})
    assert "SIM-001" in written(execution(equipment=equipment)).data["description"]
    assert "SIM-001" not in written(execution(equipment=equipment), policy).data["description"]


@pytest.mark.parametrize("protocol", [f"PVTP-{n:03}" for n in range(10, 18)] + ["PVTP-035"])
def test_electrical_safety_and_bypass_diodes_are_major_unless_configured_otherwise(protocol):
    assert written(execution(protocol_id=protocol)).data["severity"] == MAJOR
    assert (
        written(execution(protocol_id=protocol), QualityPolicy.of({"critical_protocols": []})).data["severity"] == MINOR
    )


@pytest.mark.parametrize(
    ("flag", "severity"),
    [
        ({"critical": True}, MAJOR),
        ({"safety": True}, MAJOR),
        ({"severity": "Critical"}, MAJOR),
        ({"category": "safety"}, MAJOR),
        ({"classification": "SAFETY_CRITICAL"}, MAJOR),
        ({"critical": False}, MINOR),
        ({"severity": "minor"}, MINOR),
        ({}, MINOR),
    ],
)
def test_a_failed_criterion_that_is_marked_critical_or_safety_is_major(flag, severity):
    assert written(execution([{**PMAX, **flag}, VOC])).data["severity"] == severity
    assert written(execution([PMAX, {**VOC, **flag}])).data["severity"] == MINOR


def test_criteria_are_major_by_configuration():
    policy = QualityPolicy.of({"critical_criteria": ["Pmax"]})
    assert written(execution(), policy).data["severity"] == MAJOR
    assert written(execution([{**PMAX, "parameter": "Isc"}]), policy).data["severity"] == MINOR


def test_proposals_are_the_protocols_own_else_the_categorys_else_the_default():
    actions = {"default": "Any.", "categories": {"Module Performance": "Power."}, "protocols": {"PVTP-018": "Solder."}}
    policy = QualityPolicy.of({"corrective_actions": actions})
    of = {run.protocol_id: run for run in (execution(), execution(protocol_id="PVTP-018"))}
    assert written(of["PVTP-001"], policy).data["proposed_corrective_action"] == "Power."
    assert written(of["PVTP-018"], policy).data["proposed_corrective_action"] == "Solder."
    assert written(of["PVTP-001"], policy, protocol=None).data["proposed_corrective_action"] == "Any."


def test_a_failure_without_a_failed_criterion_says_so():
    data = written(execution([VOC])).data
    assert "- none is named; the verdict on the execution is FAIL" in data["description"]
    assert data["immediate_cause"].startswith("the verdict on the execution is FAIL, no criterion is named.")


def test_tolerances_in_parts_and_missing_values_are_spelled_out():
    criterion = {"parameter": "Pmax", "tolerance": {"min": -3, "max": 5, "unit": "%"}, "result": "FAIL"}
    cause = written(execution([criterion])).data["immediate_cause"]
    assert cause.startswith("Pmax: measured 371.2 W, expected not recorded, tolerance min -3, max 5, unit %.")


def test_a_retest_refers_to_the_report_before_it():
    data = written(execution(), earlier=EarlierReport("5001", "NC-000007")).data
    assert data["earlier_nc"] == "NC-000007"
    assert "Retest: execution 5001 failed before, see NC-000007." in data["description"]
    assert "earlier_nc" not in written(execution()).data


def test_an_execution_without_a_module_waits():
    record = written(execution(module_id=None))
    assert record.problem is not None
    assert record.problem.code == "SERIAL_MISSING"


def test_the_same_execution_is_the_same_report_whenever_it_is_written():
    conditions = {"irradiance": {"target": 1000, "actual": 1041.5, "unit": "W/m²", "compliant": False}}
    equipment = {"simulator": {"id": "SIM-001", "calibration_due": "2025-11-01"}}
    first, again = (written(execution(test_conditions=conditions, equipment=equipment)) for _ in range(2))
    assert fingerprint(dict(first.data)) == fingerprint(dict(again.data))
    assert "2026" not in str(first.data)


@pytest.mark.parametrize(
    ("qc_status", "overall", "failed", "remark", "code"),
    [
        ("FAIL", "FAIL", True, "", ""),
        ("failed", "", True, "", ""),
        ("", "Fail", True, "", ""),
        ("FAIL", "PASS", True, "qc_status says FAIL, pass_fail says PASS: they contradict each other", ""),
        ("PASS", "FAIL", True, "qc_status says PASS, pass_fail says FAIL: they contradict each other", ""),
        ("FAIL", "kaput", True, "qc_status says FAIL, pass_fail says kaput: they contradict each other", ""),
        ("PASS", "PASS", False, "", ""),
        ("PASS", "", False, "", ""),
        ("WARNING", "PASS", False, "qc_status says WARNING, pass_fail says PASS", ""),
        ("CONDITIONAL", "", False, "qc_status says CONDITIONAL, pass_fail says nothing", ""),
        ("", "", False, "qc_status says nothing, pass_fail says nothing", ""),
        ("kaput", "PASS", False, "", "STATUS_UNKNOWN"),
    ],
)
def test_either_fail_counts_and_what_is_unclear_is_for_people(qc_status, overall, failed, remark, code):
    found = judge(execution([VOC], qc_status, overall))
    assert (found.failed, found.remark, found.problem.code if found.problem else "") == (failed, remark, code)
    assert found.passes is (not failed and not remark and not code)


def test_an_unknown_word_on_a_criterion_waits():
    record = written(execution([{**PMAX, "result": "kaput"}]))
    assert record.problem is not None
    assert record.problem.code == "STATUS_UNKNOWN"


def test_retests_are_later_executions_of_the_same_protocol_on_the_same_module():
    def run(number, day, module="SN001", protocol="PVTP-001"):
        return execution(execution_id=number, completed_at=day, module_id=module, protocol_id=protocol)

    found = earlier_tests(
        [
            run(12, "2025-11-15T08:00:00Z"),
            run(9, "2025-11-13T08:00:00Z"),
            run(10, "2025-11-14T09:00:00+02:00"),
            run(11, "2025-11-14T08:00:00Z"),
            run(13, "2025-11-16T08:00:00Z", module="SN002"),
            run(14, "2025-11-16T08:00:00Z", protocol="PVTP-002"),
            run(15, "2025-11-16T08:00:00Z", module=""),
            run(16, "2025-11-17T08:00:00Z", module=""),
        ]
    )
    assert found == {
        "9": (),
        "10": ("9",),
        "11": ("10", "9"),
        "12": ("11", "10", "9"),
        **dict.fromkeys(("13", "14", "15", "16"), ()),
    }


def test_a_typing_error_in_the_rules_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "quality.yaml"
    path.write_text("critical_protocols: [PVTP-010]\ncalibration_day: 30\n")
    with pytest.raises(
        ConfigError, match=r"quality\.yaml:2: calibration_day: unknown key; did you mean 'calibration_days'"
    ):
        QualityPolicy.read(path)
