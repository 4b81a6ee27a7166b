"""The sandbox QMS is strict about scopes, fields, files and closings; it takes doubles, so that they show."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Lab


@pytest.fixture
def qms(lab: Lab, anyone: Any) -> Iterator[Any]:
    with anyone(lab.url("qms")) as caller:
        caller.auth = (lab.credentials.qms_username, lab.credentials.qms_password)
        yield caller


@pytest.fixture
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {
        "external_id": request.node.name,
        "title": "Module Failed STC Power Measurement",
        "description": "Pmax is too low.",
        "severity": "Minor",
        "source": "Testing",
        "detection_date": "2025-11-13T15:30:00Z",
        "related_documents": ["SR-2025-0123"],
        "affected_items": [{"type": "Module", "id": "SN001", "quantity": 1}],
        "root_cause_analysis": {"immediate_cause": "Pmax", "contributing_factors": []},
        "proposed_corrective_action": "Repeat the test.",
    }


@pytest.fixture
def capa(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {
        "external_id": request.node.name,
        "title": "Recurring failures",
        "problem_statement": "6 modules failed.",
        "root_cause": "To be determined.",
        "corrective_action": {"description": "Look", "responsible": "Quality", "target_date": "2025-12-31"},
    }


@pytest.fixture
def event(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {
        "external_id": request.node.name,
        "timestamp": "2025-11-13T15:30:00Z",
        "user": "o.perez",
        "action": "data_update",
        "resource_type": "execution",
        "resource_id": "5678",
        "changes": {"status": ["RUNNING", "COMPLETE"]},
    }


PICTURE = b"a picture"


def file(**changes: Any) -> dict[str, Any]:
    return {
        "filename": "chart.png",
        "content_type": "image/png",
        "content": base64.b64encode(PICTURE).decode(),
        "sha256": hashlib.sha256(PICTURE).hexdigest(),
        **changes,
    }


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def fields(response: Any) -> set[str]:
    return {detail["field"] for detail in response.json()["error"]["details"]}


def token(lab: Lab, anyone: Any, *scopes: str) -> Any:
    known = lab.credentials
    form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
    secret = (known.qms_client_id, known.qms_client_secret)
    answer = anyone(lab.url("qms").removesuffix("/api")).post("/oauth/token", data=form, auth=secret).json()
    return anyone(lab.url("qms"), {"Authorization": f"Bearer {answer['access_token']}"})


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/nc-reports", "read:nc"),
        ("POST", "/nc-reports", "write:nc"),
        ("PUT", "/nc-reports/NC-000001", "write:nc"),
        ("GET", "/capas", "read:capa"),
        ("POST", "/capas", "write:capa"),
        ("POST", "/capas/CAPA-000001/attachments", "write:capa"),
        ("GET", "/audit-events", "read:audit"),
        ("POST", "/audit-events/search", "read:audit"),
        ("POST", "/audit-events", "write:audit"),
        ("POST", "/audit-events/bulk", "write:audit"),
    ],
)
def test_each_endpoint_wants_its_scope(lab: Lab, anyone: Any, method: str, path: str, scope: str) -> None:
    every = {"read:nc", "write:nc", "read:capa", "write:capa", "read:audit", "write:audit"}
    response = token(lab, anyone, *(every - {scope})).request(method, path, json={})
    assert code(response) == (403, "PERMISSION_DENIED")
    assert scope in response.json()["error"]["message"]
    assert token(lab, anyone, scope).request(method, path, json={}).status_code != 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"severity": "MAJOR"}, "severity"),
        ({"detection_date": "2025-11-13T15:30:00"}, "detection_date"),
        ({"affected_items": []}, "affected_items"),
        ({"affected_items": [{"type": "Module", "id": "SN001", "quantity": "1"}]}, "affected_items.0.quantity"),
        ({"root_cause_analysis": {}}, "root_cause_analysis.immediate_cause"),
        ({"colour": "red"}, "colour"),
        ({"title": None}, "title"),
    ],
)
def test_a_bad_field_of_a_report_is_named(qms: Any, report: dict[str, Any], change: dict[str, Any], field: str) -> None:
    response = qms.post("/nc-reports", json={**report, **change})
    assert code(response) == (422, "VALIDATION_ERROR")
    assert fields(response) == {field}


def test_reports_are_found_by_key_and_status_and_doubles_show(qms: Any, lab: Lab, report: dict[str, Any]) -> None:
    first, second = (qms.post("/nc-reports", json=report).json() for _ in range(2))
    assert first["nc_id"] != second["nc_id"]
    found = qms.get("/nc-reports", params={"external_id": report["external_id"], "status": "open"}).json()
    assert [each["nc_id"] for each in found["data"]] == [first["nc_id"], second["nc_id"]]
    assert qms.get("/nc-reports", params={"status": "lost"}).status_code == 422
    doubles = lab.control("qms", "GET", "counts")["nc_reports"]["duplicates"]
    assert {"external_id": report["external_id"], "copies": 2} in doubles


def test_only_an_open_report_is_changed_and_only_under_its_own_key(qms: Any, lab: Lab, report: dict[str, Any]) -> None:
    nc_id = qms.post("/nc-reports", json=report).json()["nc_id"]
    address = f"/nc-reports/{nc_id}"
    assert qms.put(address, json={**report, "severity": "Major"}).json()["severity"] == "Major"
    assert code(qms.put(address, json={**report, "external_id": "another"})) == (409, "KEY_MISMATCH")
    assert lab.close("qms", "nc-reports", nc_id)["closed_at"]
    assert code(qms.put(address, json=report)) == (409, "INVALID_TRANSITION")


def test_a_report_refers_only_to_reports_that_exist(qms: Any, report: dict[str, Any], capa: dict[str, Any]) -> None:
    assert code(qms.post("/nc-reports", json={**report, "earlier_nc": "NC-999999"})) == (404, "RESOURCE_NOT_FOUND")
    assert code(qms.post("/capas", json={**capa, "related_ncs": ["NC-999999"]})) == (404, "RESOURCE_NOT_FOUND")


def test_a_report_is_not_closed_while_a_capa_on_it_is_open(
    qms: Any, lab: Lab, report: dict[str, Any], capa: dict[str, Any]
) -> None:
    nc_id = qms.post("/nc-reports", json=report).json()["nc_id"]
    capa_id = qms.post("/capas", json={**capa, "related_ncs": [nc_id]}).json()["capa_id"]
    with pytest.raises(OSError, match="409"):
        lab.close("qms", "nc-reports", nc_id)
    assert lab.close("qms", "capas", capa_id, "2025-12-01T08:00:00Z")["closed_at"] == "2025-12-01T08:00:00Z"
    assert lab.close("qms", "nc-reports", nc_id)["status"] == "closed"


def test_a_file_is_kept_as_it_came(qms: Any, capa: dict[str, Any]) -> None:
    capa_id = qms.post("/capas", json=capa).json()["capa_id"]
    kept = qms.post(f"/capas/{capa_id}/attachments", json=file()).json()
    assert "content" not in kept
    listed = qms.get(f"/capas/{capa_id}/attachments").json()["data"]
    assert [(each["filename"], each["size"]) for each in listed] == [("chart.png", 9)]
    answer = qms.get(f"/capas/{capa_id}/attachments/{kept['id']}/content")
    assert (answer.content, answer.headers["Content-Type"]) == (PICTURE, "image/png")


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"content": "no base64!"}, {"filename": "../up"}, {"filename": ""}]
)
def test_a_damaged_file_is_refused(qms: Any, capa: dict[str, Any], change: dict[str, Any]) -> None:
    capa_id = qms.post("/capas", json=capa).json()["capa_id"]
    assert code(qms.post(f"/capas/{capa_id}/attachments", json=file(**change))) == (422, "VALIDATION_ERROR")
    assert qms.get(f"/capas/{capa_id}/attachments").json()["total"] == 0


def test_audit_events_each_succeed_or_fail_on_their_own(qms: Any, event: dict[str, Any]) -> None:
    bad = {**event, "external_id": "bad", "timestamp": "yesterday"}
    answers = qms.post("/audit-events/bulk", json={"items": [event, bad]}).json()["results"]
    assert [each["status"] for each in answers] == [201, 422]
    keys = {"external_ids": [event["external_id"], "bad"]}
    (found,) = qms.post("/audit-events/search", json=keys).json()["data"]
    assert found["changes"] == event["changes"]
    assert qms.post("/audit-events/bulk", json={"items": [event] * 501}).status_code == 422


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nobody_changes_an_audit_event(qms: Any, event: dict[str, Any], method: str) -> None:
    identity = qms.post("/audit-events", json=event).json()["id"]
    assert qms.request(method, f"/audit-events/{identity}", json=event).status_code == 404
    assert qms.request(method, "/audit-events", json=event).status_code == 405
