"""The naive LIMS on a real socket: checks nothing twice, lags, ignores filters, fails after the commit, odd ids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import LIMS, Lab, Naive, serve, spawn

POST = "POST /api/v2/samples*"
LOOK_UP = "* /api/v2/samples*"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve(naive=Naive()) as running:
        yield running


def held(lab: Lab, sample: dict[str, Any]) -> int:
    return sum(each["external_id"] == sample["external_id"] for each in lab.samples())


def looked_up(lims: Any, sample: dict[str, Any], **headers: str) -> list[Any]:
    query = {name: sample[name] for name in ("external_id", "project_id")}
    return list(lims.get("/samples", params=query, headers=headers).json()["data"])


def searched(lims: Any, sample: dict[str, Any]) -> list[Any]:
    key = {name: sample[name] for name in ("external_id", "project_id")}
    return list(lims.post("/samples/search", json={"keys": [key]}).json()["data"])


def test_every_post_makes_one_more_record(lims: Any, lab: Lab, sample: dict[str, Any], result: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "the-same"}
    ids = [lims.post("/samples", json=sample, headers=headers).json()["id"] for _ in range(2)]
    bulk = lims.post("/samples/bulk", json={"samples": [sample, sample]}, headers=headers).json()["results"]
    assert len({*ids, *(each["id"] for each in bulk)}) == held(lab, sample) == 4
    answers = [lims.post(f"/samples/{ids[0]}/results", json={**result, "revision": 3}) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    moved = [lims.put(f"/samples/{ids[0]}/status", json={"status": "Approved"}).status_code for _ in range(2)]
    assert moved == [200, 200]


@pytest.mark.parametrize("status", [503, 429, 401, 403, 302])
def test_a_refusal_comes_after_the_commit(lims: Any, lab: Lab, sample: dict[str, Any], status: int) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "error", "status": status, "when": "after"})
    refused = lims.post("/samples", json=sample, allow_redirects=False)
    assert (refused.status_code, refused.headers.get("Location")) == (status, "/login" if status == 302 else None)
    assert lims.post("/samples/bulk", json={"samples": [sample]}, allow_redirects=False).status_code == status
    assert held(lab, sample) == 2


def test_items_of_a_bulk_request_fail_after_the_commit(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "items_fail", "status": 503})
    results = lims.post("/samples/bulk", json={"samples": [sample] * 3}).json()["results"]
    assert [each["status"] for each in results] == [503, 201, 503]
    assert held(lab, sample) == 3


def test_a_filter_is_ignored(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lims.post("/samples/bulk", json={"samples": [{**sample, "external_id": f"other-{n}"} for n in range(30)]})
    lims.post("/samples", json=sample)
    lab.faults(LIMS, {"route": LOOK_UP, "kind": "ignore_filter"})
    first = [each["id"] for each in looked_up(lims, sample)]
    assert first == [each["id"] for each in searched(lims, sample)] == [each["id"] for each in lab.samples()[:20]]
    query = {"external_id": sample["external_id"], "page": 2, "limit": 5}
    assert [each["id"] for each in lims.get("/samples", params=query).json()["data"]] == first[5:10]
    lab.faults(LIMS)
    assert [each["external_id"] for each in looked_up(lims, sample)] == [sample["external_id"]]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("number", lambda n: n),
        ("text", lambda n: f"№ {n} ä?b"),
        ("float", lambda n: n + 0.5),
        ("list", lambda n: [f"LIM-{n:06}"]),
        ("long", lambda n: f"LIM-{n:06}".ljust(6_000, "x")),
        ("taken", lambda _: "LIM-000001"),
    ],
)
def test_ids_have_any_shape(lims: Any, lab: Lab, sample: dict[str, Any], shape: str, wanted: Any) -> None:
    lab.faults(LIMS, {"route": LOOK_UP, "kind": "odd_ids", "shape": shape})
    one = lims.post("/samples", json={**sample, "metadata": {"id": "its own"}}).json()
    two = lims.post("/samples/bulk", json={"samples": [sample]}).json()["results"][0]
    numbers = [row["number"] for row in lab.samples()][-2:]
    expected = [wanted(number) for number in numbers]
    assert [one["id"], two["id"]] == expected
    assert one["metadata"] == {"id": "its own"}
    assert [each["id"] for each in looked_up(lims, sample)] == expected
    assert [each["id"] for each in searched(lims, sample)] == expected


@pytest.mark.parametrize("shape", ["number", "text", "float", "list", "long"])
def test_a_record_is_known_by_the_id_that_was_said(lims: Any, lab: Lab, sample: dict[str, Any], shape: str) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "odd_ids", "shape": shape})
    identifier = lims.post("/samples", json=sample).json()["id"]
    assert lims.patch(f"/samples/{identifier}", json={"customer": "Another"}).status_code == 200
    assert lab.samples()[-1]["customer"] == "Another"


def test_a_taken_id_leads_to_another_record(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lims.post("/samples", json=sample)
    lab.faults(LIMS, {"route": POST, "kind": "odd_ids", "shape": "taken"})
    identifier = lims.post("/samples", json=sample).json()["id"]
    lims.patch(f"/samples/{identifier}", json={"customer": "Overwritten"})
    assert [row["number"] for row in lab.samples() if row["customer"] == "Overwritten"] == [1]


def test_look_ups_lag_behind(anyone: Any, sample: dict[str, Any]) -> None:
    with serve(naive=Naive(lag=0.5)) as lab, anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}) as lims:
        identity = lims.post("/samples", json=sample).json()["id"]
        assert lims.get(f"/samples/{identity}").status_code == 200
        assert (looked_up(lims, sample), searched(lims, sample)) == ([], [])
        time.sleep(0.6)
        assert len(looked_up(lims, sample)) == len(searched(lims, sample)) == 1


def test_a_shared_cache_answers_look_ups(anyone: Any, sample: dict[str, Any]) -> None:
    with (
        serve(naive=Naive(cache=0.7)) as lab,
        anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}) as lims,
    ):
        started = time.monotonic()
        assert looked_up(lims, sample) == []
        lims.post("/samples", json=sample)
        assert (looked_up(lims, sample), len(searched(lims, sample))) == ([], 1)
        assert [each["fault"] for each in lab.requests(LIMS)] == ["", "", "cached", ""]
        assert len(looked_up(lims, sample, **{"Cache-Control": "no-cache"})) == 1
        assert len(looked_up(lims, sample)) == 1, "what no-cache brought is kept in the place of the older answer"
        other = {"external_id": sample["external_id"], "limit": 7}
        assert lims.get("/samples", params=other).json()["total"] == 1, "another address is another answer"
        lims.post("/samples", json=sample)
        assert len(looked_up(lims, sample)) == 1
        time.sleep(max(0.0, started + 1.6 - time.monotonic()))
        assert len(looked_up(lims, sample)) == 2


def test_a_cache_keeps_no_failure_and_no_control_request(anyone: Any, sample: dict[str, Any]) -> None:
    with (
        serve(naive=Naive(cache=30)) as lab,
        anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}) as lims,
    ):
        lab.faults(LIMS, {"route": "GET *", "kind": "error", "status": 503, "times": 1})
        assert lims.get("/samples").status_code == 503
        assert lims.get("/samples").json()["total"] == 0
        assert [rule["hits"] for rule in lab.fault_report(LIMS)] == [1]
        lims.post("/samples", json=sample)
        assert lab.control(LIMS, "GET", "counts")["samples"]["rows"] == 1


def test_the_command_line_starts_one(tmp_path: Path, anyone: Any, sample: dict[str, Any]) -> None:
    with (
        spawn(tmp_path, "--naive", "--lag", "60", "--cache", "60") as lab,
        anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_api_key}) as lims,
    ):
        lims.post("/samples", json=sample)
        assert (looked_up(lims, sample), looked_up(lims, sample)) == ([], [])
        assert [each["fault"] for each in lab.requests(LIMS)] == ["", "", "cached"]
