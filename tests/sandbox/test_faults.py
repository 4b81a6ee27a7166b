"""Each fault does on a real socket what its name says, and the judge can tell what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from sandbox import FRAMEWORK, LIMS, Lab

POST = "POST /api/v2/samples"


def held(lab: Lab, sample: dict[str, Any]) -> int:
    return sum(each["external_id"] == sample["external_id"] for each in lab.samples())


def test_a_rate_limit_says_how_long_to_wait(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "rate_limit", "retry_after": 2, "times": 1})
    refused = lims.post("/samples", json=sample)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.json()["error"] == {
        "code": "RATE_LIMIT_EXCEEDED",
        "message": "Too many requests",
        "details": [],
        "retry_after": 2.0,
    }
    assert lims.post("/samples", json=sample).status_code == 201
    assert held(lab, sample) == 1


def test_a_retry_after_may_be_a_date_or_nonsense(lims: Any, lab: Lab) -> None:
    lab.faults(LIMS, {"kind": "rate_limit", "retry_after": "date:60"})
    instant = parsedate_to_datetime(lims.get("/me").headers["Retry-After"]).timestamp()
    assert 58 <= instant - time.time() <= 61
    lab.faults(LIMS, {"kind": "rate_limit", "retry_after": "in a while"})
    assert lims.get("/me").headers["Retry-After"] == "in a while"
    lab.faults(LIMS, {"kind": "rate_limit"})
    assert "Retry-After" not in lims.get("/me").headers


def test_a_request_before_its_time_is_a_violation(lab: Lab, anyone: Any) -> None:
    caller = anyone(lab.lims_url, {"X-API-Key": lab.credentials.lims_reader_key})
    before = len(lab.rate_violations(LIMS))
    lab.faults(LIMS, {"route": "GET /api/v2/me", "kind": "rate_limit", "retry_after": 0.4, "times": 1})
    assert caller.get("/me").status_code == 429
    caller.get("/me")
    assert len(lab.rate_violations(LIMS)) == before, "a request in flight is no violation"
    wait_until(time.monotonic() + 0.2)
    caller.get("/me")
    assert len(lab.rate_violations(LIMS)) == before + 1
    wait_until(time.monotonic() + 0.25)
    caller.get("/me")
    violations = lab.rate_violations(LIMS)
    assert len(violations) == before + 1
    assert violations[-1]["principal"] == "reader-key"
    assert 0 < violations[-1]["early"] < 0.25


def wait_until(instant: float) -> None:
    while (left := instant - time.monotonic()) > 0:
        time.sleep(left)


def test_an_error_has_the_chosen_status_and_does_nothing(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "error", "status": 503, "retry_after": 1, "times": 1})
    refused = lims.post("/samples", json=sample)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert held(lab, sample) == 0


def test_an_error_can_come_after_the_work(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "error", "status": 500, "when": "after", "times": 1})
    assert lims.post("/samples", json=sample).status_code == 500
    assert held(lab, sample) == 1


@pytest.mark.parametrize(("kind", "kept"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection(lims: Any, lab: Lab, sample: dict[str, Any], kind: str, kept: int) -> None:
    lab.faults(LIMS, {"route": POST, "kind": kind, "times": 1})
    with pytest.raises(requests.ConnectionError):
        lims.post("/samples", json=sample)
    assert held(lab, sample) == kept
    seen = lab.requests(LIMS)[-1]
    assert (seen["fault"], seen["status"], seen["delivered"]) == (kind, 201 if kept else 0, 0)


def test_a_truncated_answer_comes_after_the_work(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "truncate", "times": 1})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        lims.post("/samples", json=sample)
    assert held(lab, sample) == 1


def test_an_html_page_comes_after_the_work(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "html", "times": 1})
    answer = lims.post("/samples", json=sample)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert held(lab, sample) == 1


def test_a_duplicate_delivery_does_the_work_twice(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "duplicate", "times": 1})
    assert lims.post("/samples", json=sample).status_code == 201
    assert held(lab, sample) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_delayed_work_is_done_though_the_client_has_gone(
    lims: Any, lab: Lab, sample: dict[str, Any], when: str
) -> None:
    lab.faults(LIMS, {"route": POST, "kind": "delay", "seconds": 0.5, "when": when, "times": 1})
    with pytest.raises(requests.Timeout):
        lims.post("/samples", json=sample, timeout=0.1)
    assert held(lab, sample) == (1 if when == "after" else 0)
    deadline = time.monotonic() + 5
    while not held(lab, sample) and time.monotonic() < deadline:
        wait_until(time.monotonic() + 0.02)
    assert held(lab, sample) == 1


def test_an_expired_token_is_refused_until_it_is_renewed(
    lab: Lab, framework: Any, login: Callable[[], dict[str, Any]]
) -> None:
    lab.faults(FRAMEWORK, {"kind": "expired_token", "times": 1, "route": "GET *"})
    codes = [framework.get("/users/me") for _ in range(2)]
    assert [answer.status_code for answer in codes] == [401, 401]
    assert codes[0].json()["error"]["code"] == "TOKEN_EXPIRED"
    framework.headers["Authorization"] = f"Bearer {login()['access_token']}"
    assert framework.get("/users/me").status_code == 200


def test_a_page_repeats(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    items = [{**sample, "project_id": "SR-repeat", "external_id": f"R{number}"} for number in range(4)]
    lims.post("/samples/bulk", json={"samples": items})
    lab.faults(LIMS, {"route": "GET /api/v2/samples", "kind": "repeat_page"})
    first, second = (
        lims.get("/samples", params={"project_id": "SR-repeat", "limit": 2, "page": page}).json() for page in (1, 2)
    )
    assert first["data"] == second["data"]


def test_rules_count_and_repeat_by_seed(lims: Any, lab: Lab) -> None:
    def statuses() -> list[int]:
        lab.faults(LIMS, {"route": "GET *", "kind": "error", "rate": 0.3, "seed": 7})
        return [lims.get("/me").status_code for _ in range(40)]

    first, second = statuses(), statuses()
    assert first == second
    assert {200, 500} == set(first)
    assert lab.fault_report(LIMS)[0]["hits"] == second.count(500)


def test_a_burst_hits_requests_in_a_row(lims: Any, lab: Lab) -> None:
    lab.faults(LIMS, {"kind": "error", "rate": 0.1, "burst": 5, "seed": 3})
    statuses = [lims.get("/me").status_code for _ in range(100)]
    runs = "".join("x" if status == 500 else "." for status in statuses).strip("x").split(".")
    assert {len(run) % 5 for run in runs if run} == {0}
    assert "x" * 5 in "".join(runs)


def test_a_rule_may_ask_for_text_in_the_body(lims: Any, lab: Lab) -> None:
    lab.faults(LIMS, {"holding": '"SN-2"', "kind": "error", "status": 503})
    asked = [lims.post("/samples/search", json={"external_ids": [key]}).status_code for key in ("SN-1", "SN-2")]
    assert (asked[0] != 503, asked[1]) == (True, 503)


def test_the_first_rule_that_strikes_decides_and_routes_are_told_apart(lims: Any, lab: Lab) -> None:
    rules = [
        {"route": "GET /api/v2/me", "kind": "error", "status": 502, "times": 1},
        {"route": "GET *", "kind": "error", "status": 504},
    ]
    lab.faults(LIMS, *rules)
    assert [lims.get("/me").status_code for _ in range(2)] == [502, 504]
    assert lims.post("/samples/search", json={"keys": []}).status_code == 422


def test_a_rule_that_makes_no_sense_is_refused(lab: Lab, anyone: Any) -> None:
    caller = anyone(lab.origins[LIMS], {"X-Sandbox-Key": lab.sandbox_key})
    for bad in ({"kind": "magic"}, {"kind": "error", "rate": 2}, {"kind": "error", "colour": "blue"}):
        assert caller.put("/_sandbox/faults", json=[bad]).status_code == 422
    assert caller.delete("/_sandbox/faults").status_code == 204


def test_every_request_is_written_down(lims: Any, lab: Lab, sample: dict[str, Any]) -> None:
    last = lab.requests(LIMS)[-1]["number"]
    for _ in range(2):
        lims.post("/samples", json=sample, headers={"Idempotency-Key": "key-1"})
    lims.get("/samples", params={"limit": 1})
    # A request that another test has given up may be written down late.
    mine = ("key-1", "limit=1")
    first, second, third = (
        each for each in lab.requests(LIMS, since=last) if each["idempotency_key"] in mine or each["query"] in mine
    )
    assert (first["method"], first["path"], first["status"], first["principal"]) == (
        "POST",
        "/api/v2/samples",
        201,
        "api-key",
    )
    assert (first["idempotency_key"], first["body_hash"]) == ("key-1", second["body_hash"])
    assert (third["query"], third["body_hash"]) == ("limit=1", "")
    assert first["at"] <= second["at"] <= third["at"] <= time.time()
