"""Runs the integration guide's QMS samples against the sandbox, as printed but for address and a stray quotation mark.

The objects that the samples are given are the framework's own in the guide; here they are plain objects with the same
attributes. The helpers that the guide leaves undefined are the product's own functions.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import sandbox
from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import ServiceRequest
from pv_testing.quality.judgement import judge
from pv_testing.quality.policy import QualityPolicy
from pv_testing.quality.reports import nonconformance_record

PRINTED = (Path(__file__).parent / "qms_samples.txt").read_text(encoding="utf-8")
CONFIGURATION = """
integrations:
  qms:
    base_url: "{url}/api"
    client_id: "${{QMS_CLIENT_ID}}"
    client_secret: "${{QMS_CLIENT_SECRET}}"
    token_url: "{url}/oauth/token"
    scopes: ["read:nc", "write:nc", "read:capa", "write:audit"]
"""
STRAY_QUOTE = ('proposed_corrective_action": ', "proposed_corrective_action=")
COMPLETED = datetime(2025, 11, 13, 15, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def guide(lab, tmp_path, monkeypatch):
    """The names that the samples define."""
    path = tmp_path / "integrations.yaml"
    path.write_text(CONFIGURATION.format(url=lab.url("qms").removesuffix("/api")), encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(path))
    monkeypatch.setenv("QMS_CLIENT_ID", lab.credentials.qms_client_id)
    monkeypatch.setenv("QMS_CLIENT_SECRET", lab.credentials.qms_client_secret)
    monkeypatch.setenv("QMS_PASSWORD", lab.credentials.qms_password)
    names: dict[str, Any] = {
        "Execution": SimpleNamespace(objects=Failures(6)),
        "is_critical_test": lambda execution: data(execution)["severity"] == "MAJOR",
        "generate_nc_description": lambda execution: data(execution)["description"],
        "extract_failure_mode": lambda execution: data(execution)["immediate_cause"],
        "analyze_conditions": lambda execution: data(execution)["contributing_factors"],
        "generate_ca_recommendations": lambda execution: data(execution)["proposed_corrective_action"],
    }
    text = PRINTED.replace("https://qms.company.com/api", lab.url("qms")).replace(*STRAY_QUOTE)
    exec(compile(text, "integration guide", "exec"), names)  # the guide's own words are what is tested
    yield SimpleNamespace(**names, names=names)
    names["qms"].close()


class Failures(list):
    """Stands for the framework's query."""

    def __init__(self, number: int) -> None:
        super().__init__(range(number))

    def filter(self, qc_status, protocol_id):
        assert (qc_status, protocol_id) == ("FAIL", "PVTP-018")
        return self

    def last_n_days(self, days):
        assert days == 30
        return self


def execution(qc_status: str, protocol_id: str = "PVTP-010", serial: str = "SN001") -> SimpleNamespace:
    return SimpleNamespace(
        qc_status=qc_status,
        protocol_id=protocol_id,
        protocol=SimpleNamespace(name="Insulation Resistance (Dry)"),
        completed_at=COMPLETED,
        sr=SimpleNamespace(sr_number="SR-2025-0123"),
        module=SimpleNamespace(serial_number=serial),
        saved=[],
        save=lambda: None,
    )


def data(run: SimpleNamespace) -> dict[str, Any]:
    """Return what the product says of an execution of the guide."""
    payload = {
        "execution_id": 5678,
        "protocol_id": run.protocol_id,
        "module_id": run.module.serial_number,
        "completed_at": run.completed_at.isoformat(),
        "results": {
            "qc_status": run.qc_status,
            "test_conditions": {"temperature": {"target": 25, "actual": 29.1, "unit": "°C", "compliant": False}},
            "pass_fail": {
                "overall": run.qc_status,
                "criteria": [
                    {
                        "parameter": "Insulation_Resistance",
                        "expected": "at least 400 MΩ·m²",
                        "tolerance": "min",
                        "measured": 112.0,
                        "result": run.qc_status,
                    }
                ],
            },
        },
    }
    read = read_execution(payload)
    request = ServiceRequest(123, run.sr.sr_number, "TESTING_IN_PROGRESS", {}, (), 1, (run.protocol_id,))
    protocol = {"name": run.protocol.name, "category": "Electrical Safety"}
    return dict(nonconformance_record(read, request, protocol, judge(read), QualityPolicy()).data)


def rows(lab, table):
    found = lab.rows("qms", f"SELECT * FROM {table} ORDER BY number")
    return [{**row, **json.loads(row["body"])} for row in found]


def test_a_failed_execution_is_reported_once(guide, lab):
    failed = execution("FAIL")
    first, again = guide.handle_test_failure(failed), guide.handle_test_failure(failed)
    (kept,) = rows(lab, "nc_reports")
    assert first["nc_id"] == again["nc_id"] == first["nc_report_id"] == failed.qms_nc_id == "NC-000001"
    assert (kept["title"], kept["severity"]) == ("Module Failed Insulation Resistance (Dry)", "Major")
    assert kept["detection_date"] == "2025-11-13T15:30:00Z"
    assert kept["related_documents"] == ["SR-2025-0123", "Protocol: PVTP-010"]
    assert kept["affected_items"] == [{"type": "Module", "id": "SN001", "quantity": 1}]
    causes = kept["root_cause_analysis"]
    assert causes["immediate_cause"].startswith("Insulation_Resistance: measured 112.0")
    assert causes["contributing_factors"] == ["temperature was 29.1 °C (target 25 °C)"]


def test_an_execution_that_passes_is_not_reported(guide, lab):
    before = len(rows(lab, "nc_reports"))
    assert guide.handle_test_failure(execution("PASS", serial="SN002")) is None
    assert len(rows(lab, "nc_reports")) == before


def test_another_module_is_another_report(guide):
    first, other = (guide.handle_test_failure(execution("FAIL", serial=serial)) for serial in ("SN003", "SN004"))
    assert first["nc_id"] != other["nc_id"]


def test_a_minor_test_is_minor(guide, lab):
    guide.handle_test_failure(execution("FAIL", "PVTP-001", "SN005"))
    assert rows(lab, "nc_reports")[-1]["severity"] == "Minor"


def test_recurring_failures_raise_one_capa(guide, lab):
    for _ in range(3):
        guide.analyze_recurring_failures()
    (kept,) = rows(lab, "capas")
    assert kept["problem_statement"] == "6 modules failed thermal cycling in last 30 days"
    assert kept["corrective_action"]["target_date"] == "2025-12-31"
    guide.names["Execution"].objects = Failures(5)
    guide.analyze_recurring_failures()
    assert len(rows(lab, "capas")) == 1


def test_an_audit_event_is_logged_once_with_the_configured_scopes(guide, lab):
    event = SimpleNamespace(
        timestamp=COMPLETED,
        user=SimpleNamespace(username="o.perez"),
        action="protocol_execute",
        resource_type="execution",
        resource_id=5678,
        changes={"status": ["RUNNING", "COMPLETE"]},
        ip_address="192.0.2.17",
        session_id="s-1",
    )
    sync = guide.AuditTrailSync()
    sync.sync_audit_event(event)
    sync.sync_audit_event(event)
    sync.qms.close()
    (kept,) = rows(lab, "audit_events")
    assert (kept["user"], kept["action"], kept["resource_id"]) == ("o.perez", "protocol_execute", "5678")
    assert kept["timestamp"] == "2025-11-13T15:30:00Z"
    assert kept["changes"] == {"status": ["RUNNING", "COMPLETE"]}
