"""A system that loses answers now and then makes no contract wrong: the trial looks up, goes on and notes it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.config import system_config
from pv_testing.testing import TrialFinding, TrialVerdict, try_system
from tests.conformance import faulty_lims
from tests.conformance.test_planted_faults import failed, tried


def notes(findings: list[TrialFinding]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict is TrialVerdict.NOTED:
            found.setdefault(finding.key, []).append(finding.message)
    return found


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        ("drops the connection", "the system lost an answer (the answer broke off: Server disconnected); the look-up"),
        ("answers 503", "the system lost an answer (HTTP 503); the look-up found what had taken effect"),
        ("wants to be left alone", "the system wanted to be left alone (HTTP 429: too many requests); another record"),
        ("leaves a row out", "the system's answer left out 1 of 6 records; the look-up found what had taken effect"),
        ("stores a row not", "the system's answer left out 1 of 6 records; another record was sent in its place"),
    ],
)
def test_a_lost_answer_is_noted_once_and_fails_nothing(tmp_path: Path, fault: str, note: str) -> None:
    with faulty_lims.serve(fault) as lims:
        findings = tried(tmp_path, lims)
        samples = Counter(row["external_id"] for row in lims.samples)
        results = Counter(row["external_id"] for row in lims.results if row["revision"] == 1)
    assert lims.lost == [("samples", fault), ("results", fault)]
    assert failed(findings) == {}
    noted = notes(findings)
    assert list(noted) == ["operations.create_sample", "operations.upload_results"]
    assert all(len(each) == 1 and each[0].startswith(note) for each in noted.values())
    assert {*samples.values(), *results.values()} == {1}


def test_where_every_answer_is_lost_the_broken_request_is_shown(tmp_path: Path) -> None:
    class Broken(faulty_lims.FaultyLims):
        def faulty(self, method: str, path: list[str], query: Any, body: Any) -> tuple[int, Any]:
            if path == ["samples", "bulk"]:
                return faulty_lims.DROPPED, None
            return super().faulty(method, path, query, body)

    with faulty_lims.serve(server=Broken()) as lims:
        findings = tried(tmp_path, lims)
    found = failed(findings)
    assert list(found) == ["operations.create_sample.bulk"]
    (shown,) = found["operations.create_sample.bulk"].evidence
    assert shown.request.startswith("POST /api/samples/bulk ")
    assert shown.answer.startswith("none: the answer broke off")
    (listed,) = [finding for finding in findings if finding.key == "operations.get_samples.list"]
    assert listed.verdict is TrialVerdict.SKIPPED
    assert "pages and order show with more than 2 records; the trial has 1" in listed.message


def test_an_answer_that_the_system_loses_by_itself_need_not_be_withheld(tmp_path: Path) -> None:
    class Broken(faulty_lims.FaultyLims):
        def faulty(self, method: str, path: list[str], query: Any, body: Any) -> tuple[int, Any]:
            status, answer = super().faulty(method, path, query, body)
            lost = path == ["samples"] and method == "POST" and body["external_id"].endswith("-020")
            return (faulty_lims.DROPPED if lost else status), answer

    with faulty_lims.serve(server=Broken()) as lims:
        findings = tried(tmp_path, lims)
    assert failed(findings) == {}
    once = [each for each in findings if each.check == "once" and each.key.startswith("operations.create_sample")]
    assert [finding.verdict for finding in once] == [TrialVerdict.HOLDS]


def test_an_answer_that_is_not_what_the_contract_says_is_no_lost_one(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["operations"]["create_sample"]["reply"]["id"] = "number"

    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, change))
    assert "[NO_ID]" in found["operations.create_sample"].message
    assert found["operations.create_sample"].evidence[0].request.startswith("POST /api/samples ")


@pytest.mark.parametrize("fault", ["look-up never finds", "find shows the first page of all"])
def test_a_horizon_is_not_measured_by_what_is_never_found(tmp_path: Path, fault: str) -> None:
    with faulty_lims.serve(fault) as lims:
        for rows, prefix in ((lims.samples, "LIM"), (lims.results, "RES")):
            lims.add(rows, prefix, {"project_id": "P", "external_id": "another"})
        findings = tried(tmp_path, lims)
    message = "can't be measured: a record of create_sample was never found within 1 s"
    assert horizon(findings) == (TrialVerdict.SKIPPED, message)


def horizon(findings: list[TrialFinding]) -> tuple[TrialVerdict, str]:
    (finding,) = [finding for finding in findings if finding.check == "horizon"]
    return finding.verdict, finding.message


def test_what_is_read_by_its_id_says_nothing_of_the_horizon(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        for name in ("create_sample", "upload_results"):
            operation = content["operations"][name]
            del operation["find"]
            operation.update({"person": True, "on_change": "ignore"})
            operation.pop("update", None)

    with faulty_lims.serve() as lims:
        findings = tried(tmp_path, lims, change)
    assert failed(findings) == {}
    message = "can't be measured: records were only read by their ids, and none was searched by its key"
    assert horizon(findings) == (TrialVerdict.SKIPPED, message)


def test_a_lost_answer_to_a_service_request_is_no_end() -> None:
    with sandbox.serve() as lab:
        known = lab.credentials
        lab.faults("framework", {"route": "POST */service-requests", "kind": "drop_after", "times": 1})
        users = {"username": known.framework_username, "password": known.framework_password}
        findings = try_system(system_config("framework", lab.framework_url, **users), patience=1.0)
    assert failed(findings) == {}
    assert [len(each) for each in notes(findings).values()] == [1]
    assert "another record was sent in its place" in notes(findings)["operations.create_service_request"][0]


def test_a_lost_answer_to_a_state_is_looked_up() -> None:
    with sandbox.serve() as lab:
        known = lab.credentials
        lab.faults("erp", {"route": "POST */post", "kind": "drop_after", "times": 1})
        secrets = {"client_id": known.erp_client_id, "client_secret": known.erp_client_secret}
        findings = try_system(system_config("erp", lab.url("erp"), **secrets), patience=1.0)
    assert failed(findings) == {}
    (note,) = notes(findings)["operations.post_invoice"]
    assert note.endswith("the look-up found what had taken effect")
