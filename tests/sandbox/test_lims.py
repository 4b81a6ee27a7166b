"""The sandbox LIMS is strict about credentials, scopes, fields and transitions; it takes doubles, so that they show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import Lab, serve


def fields(response: Any) -> set[str]:
    return {detail["field"] for detail in response.json()["error"]["details"]}


def created(lims: Any, sample: dict[str, Any]) -> str:
    response = lims.post("/samples", json=sample)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_each_kind_of_credentials_is_accepted(lab: Lab, anyone: Any) -> None:
    known = lab.credentials
    caller = anyone(lab.lims_url)
    token = caller.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": "read:samples"},
        auth=(known.lims_client_id, known.lims_client_secret),
    ).json()
    assert token["scope"] == "read:samples"
    assert caller.get("/me", headers={"X-API-Key": known.lims_api_key}).json()["user"] == "api-key"
    assert caller.get("/me", auth=(known.lims_username, known.lims_password)).json()["user"] == known.lims_username
    bearer = caller.get("/me", headers={"Authorization": f"Bearer {token['access_token']}"}).json()
    assert bearer == {"user": known.lims_client_id, "scopes": ["read:samples"]}


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_other_credentials_are_refused(lab: Lab, anyone: Any, headers: dict[str, str]) -> None:
    response = anyone(lab.lims_url).get("/samples", headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTHENTICATION_FAILED")


def test_a_wrong_client_secret_gets_no_token(lab: Lab, anyone: Any) -> None:
    form = {"grant_type": "client_credentials", "client_id": lab.credentials.lims_client_id, "client_secret": "wrong"}
    response = anyone(lab.lims_url).post("/oauth/token", data=form)
    assert (response.status_code, response.json()) == (401, {"error": "invalid_client"})


def test_a_scope_that_the_client_lacks_is_refused(lab: Lab, anyone: Any, sample: dict[str, Any]) -> None:
    reader = anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_reader_key})
    assert reader.get("/samples").status_code == 200
    response = reader.post("/samples", json=sample)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    assert "write:samples" in response.json()["error"]["message"]


def test_credentials_are_judged_before_the_body(lab: Lab, anyone: Any) -> None:
    assert anyone(lab.lims_url).post("/samples", json={"nonsense": 1}).status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "blue"}, "colour"),
        ({"customer": None}, "customer"),
        ({"external_id": 5}, "external_id"),
        ({"external_id": ""}, "external_id"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_bad_field_is_named(lims: Any, sample: dict[str, Any], change: dict[str, Any], field: str) -> None:
    response = lims.post("/samples", json={**sample, **change})
    assert response.status_code == 422
    assert fields(response) == {field}


def test_a_missing_field_is_named(lims: Any, sample: dict[str, Any]) -> None:
    del sample["project_id"]
    assert fields(lims.post("/samples", json=sample)) == {"project_id"}


def test_a_body_that_is_no_json_is_refused(lims: Any) -> None:
    response = lims.post("/samples", data=b"{", headers={"Content-Type": "application/json"})
    assert response.status_code == 422


def test_an_unknown_filter_is_refused(lims: Any) -> None:
    assert fields(lims.get("/samples", params={"serial": "x"})) == {"serial"}
    assert fields(lims.get("/samples", params={"limit": 101})) == {"limit"}


def test_bulk_items_stand_on_their_own(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    items = [sample, {"external_id": "x"}, {**sample, "external_id": "other"}]
    answers = lims.post("/samples/bulk", json={"samples": items}).json()["results"]
    assert [answer["status"] for answer in answers] == [201, 422, 201]
    assert answers[2]["external_id"] == "other"
    assert {detail["field"] for detail in answers[1]["error"]["details"]} >= {"customer", "project_id"}
    assert lims.post("/samples/bulk", json={"samples": [sample] * 501}).status_code == 422


def test_a_double_is_accepted_and_the_judge_sees_it(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    first, second = created(lims, sample), created(lims, sample)
    assert first != second
    twice = {"project_id": sample["project_id"], "external_id": sample["external_id"], "copies": 2}
    assert twice in lab.duplicates()["samples"]
    counts = lab.control("lims", "GET", "counts")["samples"]
    assert twice in counts["duplicates"]
    assert counts["rows"] == len(lab.samples())
    key = {name: sample[name] for name in ("external_id", "project_id")}
    found = lims.post("/samples/search", json={"keys": [key]}).json()["data"]
    assert [each["id"] for each in found] == [first, second]


def test_pages_hold_each_sample_once(lims: Any, sample: dict[str, Any]) -> None:
    items = [{**sample, "project_id": "SR-pages", "external_id": f"P{number}"} for number in range(250)]
    lims.post("/samples/bulk", json={"samples": items})
    seen = []
    for page in (1, 2, 3):
        listing = lims.get("/samples", params={"project_id": "SR-pages", "page": page, "limit": 100}).json()
        assert (listing["total"], listing["pages"], listing["page"]) == (250, 3, page)
        seen += [each["external_id"] for each in listing["data"]]
    assert seen == [item["external_id"] for item in items]


def test_a_sample_may_change(lims: Any, sample: dict[str, Any]) -> None:
    identity = created(lims, sample)
    changed = lims.patch(f"/samples/{identity}", json={"customer": "Helios"}).json()
    assert (changed["customer"], changed["metadata"]) == ("Helios", sample["metadata"])
    assert lims.patch(f"/samples/{identity}", json={"status": "Approved"}).status_code == 422
    assert lims.patch("/samples/LIM-999999", json={"customer": "Helios"}).status_code == 404


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        (["Received", "In Testing", "Testing Complete", "Approved"], 200),
        (["Received", "Approved"], 200),
        (["In Testing"], 409),
        (["Received", "Received"], 409),
        (["Received", "In Testing", "Received"], 409),
        (["Lost"], 422),
    ],
)
def test_statuses_go_forward_and_begin_with_receipt(
    lims: Any, sample: dict[str, Any], steps: list[str], last: int
) -> None:
    identity = created(lims, sample)
    codes = [lims.put(f"/samples/{identity}/status", json={"status": step}).status_code for step in steps]
    assert codes == [200] * (len(steps) - 1) + [last]


def test_bulk_statuses_stand_on_their_own(lims: Any, sample: dict[str, Any]) -> None:
    identity = created(lims, sample)
    updates = [{"id": identity, "status": "Received"}, {"id": "LIM-999999", "status": "Received"}]
    answers = lims.post("/samples/status/bulk", json={"updates": [*updates, updates[0]]}).json()["results"]
    assert [answer["status"] for answer in answers] == [200, 404, 409]
    assert answers[2]["error"]["code"] == "INVALID_TRANSITION"


def test_results_are_kept_as_sent(lims: Any, lab: Lab, sample: dict[str, Any], result: dict[str, Any]) -> None:
    identity = created(lims, sample)
    response = lims.post(f"/samples/{identity}/results", json=result)
    assert response.status_code == 201
    assert response.json()["sample_id"] == identity
    kept = lims.post("/results/search", json={"external_ids": [result["external_id"]]}).json()["data"]
    assert kept[0]["results"] == result["results"]
    judged = next(each for each in lab.results() if each["external_id"] == result["external_id"])
    assert (judged["serial"], judged["sample_id"], judged["results"]) == (
        sample["external_id"],
        identity,
        result["results"],
    )
    assert lims.get("/results", params={"sample_id": identity}).json()["total"] == 1


def test_a_revision_needs_the_one_before(lims: Any, sample: dict[str, Any], result: dict[str, Any]) -> None:
    address = f"/samples/{created(lims, sample)}/results"
    gap = lims.post(address, json={**result, "revision": 2})
    assert (gap.status_code, gap.json()["error"]["code"]) == (409, "REVISION_GAP")
    codes = [lims.post(address, json={**result, "revision": number}).status_code for number in (1, 2)]
    assert codes == [201, 201]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "401"}, "results.0.value"),
        ({"value": True}, "results.0.value"),
        ({"unit": ""}, "results.0.unit"),
        ({"status": "Maybe"}, "results.0.status"),
        ({"uncertainty": -1}, "results.0.uncertainty"),
    ],
)
def test_a_bad_measurement_is_refused(
    lims: Any, sample: dict[str, Any], result: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    result["results"][0].update(change)
    response = lims.post(f"/samples/{created(lims, sample)}/results", json=result)
    assert response.status_code == 422
    assert any(each.startswith(field) for each in fields(response))


def test_nan_and_naive_timestamps_are_refused(lims: Any, sample: dict[str, Any], result: dict[str, Any]) -> None:
    address = f"/samples/{created(lims, sample)}/results"
    assert fields(lims.post(address, json={**result, "test_date": "2025-11-13T15:30:00"})) == {"test_date"}
    body = json.dumps(result).replace("401.2", "NaN").encode()
    response = lims.post(address, data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert all(each.startswith("results.0.value") for each in fields(response))


def test_bulk_results_stand_on_their_own(lims: Any, sample: dict[str, Any], result: dict[str, Any]) -> None:
    identity = created(lims, sample)
    good = {**result, "sample_id": identity}
    items = [
        good,
        {**good, "sample_id": "LIM-999999"},
        {**good, "revision": 7},
        {**good, "operator": 3},
        {**good, "revision": 2},
    ]
    answers = lims.post("/results/bulk", json={"results": items}).json()["results"]
    assert [answer["status"] for answer in answers] == [201, 404, 409, 422, 201]


def test_a_certificate_needs_approval(lims: Any, sample: dict[str, Any]) -> None:
    identity = created(lims, sample)
    assert lims.post(f"/samples/{identity}/certificate").status_code == 409
    for status in ("Received", "Approved"):
        lims.put(f"/samples/{identity}/status", json={"status": status})
    wanted = lims.post(f"/samples/{identity}/certificate")
    assert (wanted.status_code, wanted.json()["status"]) == (202, "GENERATING")
    certificate = lims.get(f"/certificates/{wanted.json()['certificate_id']}").json()
    assert certificate["status"] == "COMPLETE"
    file = lims.get(certificate["download_url"].removeprefix("/api/v2"))
    assert file.headers["Content-Type"] == "application/pdf"
    assert file.content.startswith(b"%PDF")


def test_samples_arrive(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    sample["project_id"] = "SR-arrival"
    first, second = created(lims, sample), created(lims, {**sample, "external_id": "second"})
    assert lab.receive(ids=[second]) == [second]
    assert lab.receive("SR-arrival") == [first]
    assert lab.receive("SR-arrival") == []
    assert lab.statuses()["SR-arrival"] == {"Received": 2}


def test_idempotency_keys_work_when_switched_on(anyone: Any, sample: dict[str, Any]) -> None:
    with serve(idempotency=True) as lab:
        headers = {"X-API-Key": lab.credentials.lims_api_key, "Idempotency-Key": "k1"}
        caller = anyone(lab.lims_url, headers)
        first, again = caller.post("/samples", json=sample), caller.post("/samples", json=sample)
        assert (first.json(), again.json()) == (first.json(), first.json())
        assert [answer.headers["Idempotency-Replayed"] for answer in (first, again)] == ["false", "true"]
        other = caller.post("/samples", json={**sample, "customer": "Other"})
        assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert len(lab.samples()) == 1


def test_idempotency_keys_do_nothing_by_default(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    for _ in range(2):
        lims.post("/samples", json=sample, headers={"Idempotency-Key": "k1"})
    assert sum(each["external_id"] == sample["external_id"] for each in lab.samples()) == 2


def test_a_bulk_of_500_samples_takes_less_than_half_a_second(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    items = [{**sample, "project_id": "SR-quick", "external_id": f"Q{number}"} for number in range(500)]
    for _ in range(5):
        assert lims.post("/samples/bulk", json={"samples": items}).status_code == 200
    assert min(each["seconds"] for each in lab.requests("lims")[-5:]) < 0.5
