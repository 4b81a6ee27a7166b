"""Requests, bulk requests and look-ups, as the shipped contract for a plain LIMS makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts import Contract, OperationSpec, Request, load_contract
from pv_testing.core.errors import MappingError, ResponseError
from tests import yaml_text

SAMPLE = {
    "sr_number": "SR-2025-0123",
    "serial_number": "SN/001",
    "customer": {"name": "Solar Corporation"},
    "module": {"manufacturer": "AstraSolar", "power_rating": 400.0},
}
RESULTS = {
    "lims_sample_id": "LIM-000001",
    "execution_id": 5678,
    "protocol_id": "PVTP-001",
    "protocol": {"name": "Power at STC"},
    "completed_at": "2025-11-13T15:30:00Z",
    "operator_name": "Ann",
    "measurements": [{"parameter": "Pmax", "value": 0.4, "unit": "kW", "qc_status": "UNDECIDED"}],
}


@pytest.fixture
def lims() -> Contract:
    return load_contract("lims_custom")


@pytest.fixture
def create(lims: Contract) -> OperationSpec:
    return lims.operation("create_sample")


@pytest.fixture
def upload(lims: Contract) -> OperationSpec:
    return lims.operation("upload_results")


def small(folder: Path, **operation: Any) -> OperationSpec:
    path = folder / "small.yaml"
    content = {"contract": 1, "system": "lims", "provider": "P", "title": "T", "operations": {"op": operation}}
    path.write_text(yaml_text.dump(content))
    return load_contract(path).operation("op")


def test_a_single_request_and_a_bulk_request_carry_the_same_record(create: OperationSpec) -> None:
    payload = create.prepare(SAMPLE)
    expected = {
        "external_id": "SN/001",
        "project_id": "SR-2025-0123",
        "sample_type": "PV Module",
        "customer": "Solar Corporation",
        "metadata": {"manufacturer": "AstraSolar", "power_rating": 400.0},
    }
    assert create.call.request(payload) == Request("POST", "/samples", {}, expected)
    assert create.bulk is not None
    bodies = [create.bulk.call.body(payload), create.bulk.call.body(payload)]
    assert create.bulk.request(bodies) == Request("POST", "/samples/bulk", {}, {"samples": [expected, expected]})
    assert create.bulk.id({"status": 201, "id": "LIM-000007"}) == "LIM-000007"
    assert payload == expected


def test_what_goes_into_the_address_is_not_repeated_in_the_body(upload: OperationSpec) -> None:
    payload = upload.prepare(RESULTS)
    single = upload.call.request(payload, {"revision": 2})
    assert single.path == "/samples/LIM-000001/results"
    assert "sample_id" not in single.body
    assert single.body["revision"] == 2
    assert single.body["results"] == [{"analyte": "Pmax", "value": 400.0, "unit": "W", "status": "REVIEW"}]
    assert upload.bulk is not None
    assert upload.bulk.call.body(payload, {"revision": 2}) == {**payload, "revision": 2}
    assert "revision" not in payload


def test_an_unknown_revision_is_an_error_and_not_sent_as_nothing(upload: OperationSpec) -> None:
    with pytest.raises(MappingError, match="no revision is known"):
        upload.call.request(upload.prepare(RESULTS), {})


def test_an_update_sends_only_what_may_change(create: OperationSpec) -> None:
    assert create.update is not None
    request = create.update.request(create.prepare(SAMPLE), {"id": "LIM-000001"})
    assert (request.method, request.path) == ("PATCH", "/samples/LIM-000001")
    assert set(request.body) == {"customer", "sample_type", "metadata"}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("LIM 1", "/samples/LIM%201"),
        ("a/../../admin", "/samples/a%2F..%2F..%2Fadmin"),
        ("x?admin=1#y", "/samples/x%3Fadmin%3D1%23y"),
        ("Prüfling", "/samples/Pr%C3%BCfling"),
        (7, "/samples/7"),
    ],
)
def test_a_value_in_an_address_can_lead_nowhere_else(lims: Contract, value: Any, path: str) -> None:
    assert lims.operation("get_sample").call.request({"sample_id": value}).path == path


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_a_value_that_makes_another_address_is_refused(lims: Contract, value: Any) -> None:
    with pytest.raises(MappingError, match="no usable value for sample_id"):
        lims.operation("get_sample").call.request({"sample_id": value})


def test_criteria_become_the_query_and_a_mistyped_one_is_refused(lims: Contract) -> None:
    call = lims.operation("get_samples").call
    assert call.request({"status": "Received"}) == Request("GET", "/samples", {"status": "Received"})
    with pytest.raises(MappingError, match="takes no staus; it takes status, project_id, external_id"):
        call.request({"staus": "Received"})


def test_constants_and_truth_values_in_a_query(tmp_path: Path) -> None:
    spec = small(tmp_path, path="/search", query={"complete": {"const": True}, "open": {"to": "is_open"}})
    assert spec.call.request({"open": False}).params == {"complete": "true", "is_open": "false"}


def test_a_look_up_asks_for_many_and_tells_them_apart_by_their_key(create: OperationSpec) -> None:
    find = create.find
    assert find is not None
    payload = create.prepare(SAMPLE)
    keys = [{"external_id": "SN/001", "project_id": "SR-2025-0123"}] * 2
    assert find.request([payload, payload]) == Request("POST", "/samples/search", {}, {"keys": keys})
    found = {**payload, "id": "LIM-000001", "status": "Received", "metadata": {**payload["metadata"], "added": 1}}
    assert find.items({"data": [found]}) == [found]
    assert find.key_of_found(found) == find.key_of_sent(payload) == "SR-2025-0123/SN%2F001"
    assert find.id(found) == "LIM-000001"
    assert find.same(found, payload)
    assert not find.same({**found, "customer": "Another"}, payload)
    assert not find.same({**found, "metadata": {"manufacturer": "AstraSolar"}}, payload)
    with pytest.raises(ResponseError, match="doesn't have its key"):
        find.key_of_found({"external_id": "SN/001"})


def test_an_earlier_revision_is_not_the_wanted_one(upload: OperationSpec) -> None:
    find = upload.find
    assert find is not None
    payload = upload.prepare(RESULTS)
    assert find.request([payload]).body == {"external_ids": ["5678"]}
    wanted = upload.call.body(payload, {"revision": 2})
    assert [find.same({"external_id": "5678", "revision": revision}, wanted) for revision in (1, 2)] == [False, True]


@pytest.mark.parametrize(
    ("status", "reached"),
    [("Received", False), ("In Testing", True), ("Approved", True), ("Archived", False), (None, False)],
)
def test_a_sample_beyond_a_status_has_had_it(lims: Contract, status: str | None, reached: bool) -> None:
    spec = lims.operation("update_sample_status")
    payload = spec.prepare({"lims_sample_id": "LIM-000001", "lims_status": "In Testing"})
    find = spec.find
    assert find is not None
    assert find.request([payload]) == Request("GET", "/samples/LIM-000001")
    (found,) = find.items({"id": "LIM-000001", "status": status})
    assert find.key_of_found(found) == find.key_of_sent(payload)
    assert find.same(found, payload) is reached


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": "x"}, [], {"data": ["x", 1]}])
def test_an_answer_without_the_list_does_not_say_that_there_is_nothing(create: OperationSpec, body: Any) -> None:
    assert create.find is not None
    assert create.find.items({"data": []}) == []
    with pytest.raises(ResponseError, match="no list of records at data"):
        create.find.items(body)


def test_identity_is_known_only_when_the_system_says_so() -> None:
    senaite = load_contract("lims_senaite").identity
    plain = load_contract("lims_custom").identity
    assert senaite is not None
    assert plain is not None
    stranger = {"items": [{"username": "Anonymous User", "authenticated": False}]}
    assert senaite.name(stranger) is None
    assert senaite.name({"items": [{"username": "lab", "authenticated": True}]}) == "lab"
    assert [plain.name(body) for body in ({"user": "api-key"}, {"user": ""}, {}, [], None)] == ["api-key", *[None] * 4]


def test_every_endpoint_of_the_framework_is_there() -> None:
    calls = {(spec.call.method, spec.call.path.text) for spec in load_contract("framework").operations.values()}
    assert calls == {
        ("POST", "/service-requests"),
        ("GET", "/service-requests/{sr_id}"),
        ("GET", "/service-requests"),
        ("PUT", "/service-requests/{sr_id}"),
        ("DELETE", "/service-requests/{sr_id}"),
        ("GET", "/protocols"),
        ("GET", "/protocols/{protocol_id}"),
        ("GET", "/protocols/{protocol_id}/template"),
        ("POST", "/protocols/{protocol_id}/execute"),
        ("GET", "/executions"),
        ("GET", "/executions/{execution_id}"),
        ("POST", "/executions/{execution_id}/stop"),
        ("GET", "/executions/{execution_id}/results"),
        ("POST", "/reports/generate"),
        ("GET", "/reports/{report_id}"),
        ("GET", "/reports/{report_id}/download"),
        ("GET", "/reports"),
        ("GET", "/audit-events"),
        ("POST", "/integrations/lims/sync"),
        ("POST", "/integrations/qms/nc-report"),
        ("POST", "/integrations/pm/update"),
        ("GET", "/users"),
        ("GET", "/users/me"),
        ("POST", "/webhooks"),
    }
    assert load_contract("framework").authentication["jwt"] == {"login": "/auth/login", "refresh": "/auth/refresh"}
