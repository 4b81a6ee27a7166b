"""Shows what the provider makes of Redmine's issues where they are non-conformances and CAPAs."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.integrations import QMSClient
from pv_testing.integrations.client import SystemClient
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry, fresh
from tests.live.redmine import plan

pytestmark = pytest.mark.live

CHART = b"\x89PNG the chart"


def report_of(client: SystemClient, execution: str, **data: Any) -> Outcome:
    known = {"execution_id": execution, "sr_number": "SR-2025-0001", "serial_number": "SN001", "title": "NC of SN001"}
    known |= {"protocol_id": "PVTP-018", "protocol_name": "Thermal Cycling", "description": "Pmax fell by 7.1 %"}
    known |= {"detected_at": "2025-11-20T10:15:00+01:00", "immediate_cause": "Power_Degradation failed"}
    return carry(client, "create_nc_report", execution, **{**known, "severity": "MAJOR", **data})


def capa(client: SystemClient, key: str, **data: Any) -> Outcome:
    action = {"description": "Check the ramp", "responsible": "Quality Manager", "target_date": "2026-01-31"}
    known = {"capa_key": key, "scope": key.partition("/")[0], "title": f"CAPA {key}", "problem_statement": "Six failed"}
    return carry(client, "create_capa", key, **{**known, "corrective_action": action, "root_cause": "open", **data})


def attach(client: SystemClient, key: str, number: str, content: bytes = CHART, **data: Any) -> Outcome:
    given = {"capa_key": key, "capa_id": number, "filename": "pareto.png", "content_type": "image/png"}
    given |= {"content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}
    return carry(client, "attach_file", f"{key}/pareto.png", **{**given, **data})


def test_a_non_conformance_says_what_redmine_has_no_field_for(qms, lab):
    execution = fresh()
    outcome = report_of(
        qms, execution, contributing_factors=["CH-01 near calibration", "Humidity 71 %"], earlier_nc="12"
    )
    issue = lab.issue(int(outcome.external_id))
    assert (issue["tracker"]["name"], issue["priority"]["name"]) == ("Non-conformance", "High")
    text = issue["description"].splitlines()
    assert text[0] == "Pmax fell by 7.1 %"
    assert f"* Execution: {execution}" in text
    assert "* Detected: 2025-11-20T09:15:00Z" in text
    assert "* Contributing factors: CH-01 near calibration; Humidity 71 %" in text
    assert "* Earlier non-conformance: #12" in text


def test_non_conformances_are_open_until_redmine_says_that_their_status_closes(qms, lab):
    execution = fresh()
    number = report_of(qms, execution).external_id
    (found,) = qms.list("get_nc_reports", external_id=execution)
    assert (found["id"], found["status"], found["closed_at"]) == (number, "open", None)
    lab.change(f"/issues/{number}.json", {"issue": {"status_id": lab.statuses["Closed"]}})
    assert qms.call("get_nc_report", nc_id=number)["status"] == "closed"
    assert [item["id"] for item in qms.list("get_nc_reports", external_id=execution, status="CLOSED")] == [number]
    assert qms.list("get_nc_reports", external_id=execution, status="OPEN") == []


def test_the_guides_words_are_understood_by_quality_management(qms, lab):
    made = qms.create_nc_report(
        title="Thermal cycling failed",
        description="Pmax fell by 7.1 %",
        severity="Major",
        detection_date="2025-11-20T10:15:00+01:00",
        affected_items=[{"type": "PV Module", "id": "SN001", "quantity": 1}],
        root_cause_analysis={"immediate_cause": "solder", "contributing_factors": "ramp"},
        execution_id=fresh(),
    )
    assert qms.get_nc_status(made["nc_id"]) == "OPEN"
    assert "* Affected items: type PV Module, id SN001, quantity 1" in lab.issue(int(made["nc_id"]))["description"]
    action = {"description": "Check the ramp", "responsible": "Eve", "target_date": "2026-01-31"}
    capa_id = qms.create_capa(title=f"CAPA {fresh()}", problem_statement="Six failed", corrective_action=action)["id"]
    qms.attach_file(capa_id, "pareto.png", CHART, "image/png")
    assert qms.get_capa_status(capa_id) == "OPEN"


def test_a_capa_says_who_does_what_until_when(qms, lab):
    key = f"PVTP-018-{fresh()}/1"
    outcome = capa(qms, key, related_ncs=["12", "13"], approved_by="Quality Manager")
    issue = lab.issue(int(outcome.external_id))
    assert (issue["tracker"]["name"], issue["due_date"]) == ("CAPA", "2026-01-31")
    text = issue["description"].splitlines()
    assert text[0] == "Six failed"
    assert "* Corrective action: Check the ramp, responsible Quality Manager, target date 2026-01-31" in text
    assert "* Related non-conformances: #12; #13" in text
    (found,) = qms.list("get_capas", external_id=key)
    assert (found["status"], found["title"]) == ("open", f"CAPA {key}")


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_looked_up_and_the_non_conformance_made_once(redmine, connect, lab, kind):
    execution = fresh()
    with serve_proxy(redmine.url) as proxy:
        client = connect(QMSClient, proxy.url, plan.QUALITY)
        proxy.faults({"route": "POST /issues.json", "kind": kind, "times": 1})
        assert report_of(client, execution).result.in_effect
    assert len(lab.find(execution)) == 1


def test_a_file_is_attached_once_and_comes_back_as_it_was(connect, lab):
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    assert attach(qms, key, number).result is Result.CREATED
    assert attach(connect(QMSClient), key, number).result.in_effect
    (attached,) = lab.issue(int(number), include="attachments")["attachments"]
    assert (attached["filename"], attached["content_type"]) == ("pareto.png", "image/png")
    assert lab.get(attached["content_url"], timeout=60).content == CHART


@pytest.mark.parametrize("route", ["POST /uploads.json", "PUT /issues/*"])
@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_leaves_one_attachment(redmine, connect, lab, route, kind):
    key = f"PVTP-018-{fresh()}/1"
    number = capa(connect(QMSClient, project=plan.QUALITY), key).external_id
    with serve_proxy(redmine.url) as proxy:
        client = connect(QMSClient, proxy.url)
        proxy.faults({"route": route, "kind": kind, "times": 1})
        assert attach(client, key, number).result.in_effect
    assert len(lab.issue(int(number), include="attachments")["attachments"]) == 1


def test_files_that_come_at_the_same_time_are_all_attached_once(connect, lab):
    """Redmine refuses the later of two changes of one issue without a word, and has done nothing of it."""
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    names = [f"chart-{place:02}.png" for place in range(16)]
    files = []
    for name in names:
        content = CHART + name.encode()
        given = {"content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}
        known = {"capa_key": key, "capa_id": number, "filename": name, "content_type": "image/png"}
        files.append(Record(f"{key}/{name}", {**known, **given}))
    report = qms.exchange("attach_file", files)
    assert report.not_in_effect() == [], report.table()
    attached = lab.issue(int(number), include="attachments")["attachments"]
    assert sorted(each["filename"] for each in attached) == names


def test_a_new_version_of_a_file_stands_beside_the_old_one(connect, lab):
    qms = connect(QMSClient, project=plan.QUALITY)
    key = f"PVTP-018-{fresh()}/1"
    number = capa(qms, key).external_id
    attach(qms, key, number)
    attach(qms, key, number, b"another chart")
    sizes = [each["filesize"] for each in lab.issue(int(number), include="attachments")["attachments"]]
    assert sizes == [len(CHART), len(b"another chart")]


def test_a_file_that_was_damaged_on_its_way_here_is_not_sent(qms):
    outcome = attach(qms, "PVTP-018/1", "1", sha256="0" * 64)
    assert (outcome.result, outcome.code) == (Result.QUARANTINED, "CONTENT_DAMAGED")


def test_audit_events_have_no_place_in_redmine(qms):
    with pytest.raises(ConfigError, match="audit trail") as refused:
        qms.exchange("log_audit_event", [Record("1", {"event_id": "1"})])
    assert refused.value.code == "NO_OPERATION"
