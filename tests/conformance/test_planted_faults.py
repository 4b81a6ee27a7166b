"""The trial of a contract finds each fault of a server or of a contract that a test plants, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import system_config
from pv_testing.testing import TrialFinding, TrialVerdict, try_system
from tests.conformance import faulty_lims
from tests.conformance.faulty_lims import FaultyLims


def tried(
    folder: Path, lims: FaultyLims, change: Callable[[Any], object] = lambda _: None, **limits: float
) -> list[TrialFinding]:
    path = faulty_lims.contract(folder, change, **limits)
    config = system_config("lims", lims.url, contract=str(path), api_key=faulty_lims.KEY)
    return try_system(config, patience=1.0)


def failed(findings: list[TrialFinding]) -> dict[str, TrialFinding]:
    return {finding.key: finding for finding in findings if finding.verdict is TrialVerdict.FAILS}


def test_a_sound_system_holds(tmp_path: Path) -> None:
    with faulty_lims.serve() as lims:
        findings = tried(tmp_path, lims)
    assert failed(findings) == {}
    held = {finding.check for finding in findings if finding.verdict is TrialVerdict.HOLDS}
    assert held == {
        "identity", "create", "find", "horizon", "absent", "bulk", "list", "update", "states", "words", "once",
        "refused",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "key", "message"),
    [
        ("look-up never finds", "operations.create_sample.find", "isn't found within 1."),
        ("ids swapped in bulk", "operations.create_sample.bulk.id", "the answer to its creation said"),
        ("listing without key", "operations.get_samples.list", "without its key {project_id}/{external_id}"),
        ("find ignores its filter", "operations.create_sample.find", "the system ignores what it was asked for"),
        ("update creates", "operations.create_sample.update", "which creates instead"),
        ("status does not stick", "operations.update_sample_status", "'Received' was accepted and doesn't stick"),
        ("page order wanders", "operations.get_samples.list", "its order wanders"),
    ],
)
def test_a_fault_of_the_system_is_found(tmp_path: Path, fault: str, key: str, message: str) -> None:
    with faulty_lims.serve(fault) as lims:
        found = failed(tried(tmp_path, lims))
    assert message in found[key].message
    assert found[key].evidence
    assert faulty_lims.KEY not in str(found[key])


def by_another_key(operations: Any) -> None:
    found = {"sent": "{project_id}/{external_id}", "found": "{project_id}/{id}"}
    operations["create_sample"]["find"]["key"] = found


def by_nothing_of_the_record(operations: Any) -> None:
    find = {"path": "/samples", "query": {"sample_type": "type"}, "list": "data", "key": "{project_id}/{external_id}"}
    operations["create_sample"]["find"] = {**find, "in_effect": {"customer": "customer"}}


def by_creating(operations: Any) -> None:
    operations["create_sample"]["update"] = {"method": "POST", "path": "/samples"}


def by_reading_another_id(operations: Any) -> None:
    operations["create_sample"]["bulk"]["id"] = "external_id"


def by_listing_results(operations: Any) -> None:
    operations["get_samples"]["path"] = "/results"


@pytest.mark.parametrize(
    ("plant", "key", "message"),
    [
        (by_another_key, "operations.create_sample.find", "found another record"),
        (by_nothing_of_the_record, "operations.create_sample.find", "found another record"),
        (by_creating, "operations.create_sample.update", "which creates instead"),
        (by_reading_another_id, "operations.create_sample.bulk.id", "the answer to its creation said"),
        (by_listing_results, "operations.get_samples.list", "doesn't list PVTRY-"),
    ],
)
def test_a_fault_of_the_contract_is_found(tmp_path: Path, plant: Callable[[Any], None], key: str, message: str) -> None:
    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, lambda content: plant(content["operations"])))
    assert message in found[key].message


def test_a_wrong_word_of_a_status_is_found(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["vocabularies"]["sample_status"]["TESTING_COMPLETE"] = "Completed"

    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, change))
    assert list(found) == ["vocabularies.sample_status.TESTING_COMPLETE"]
    (finding,) = found.values()
    assert "there is no status Completed" in finding.message
    assert "PUT /api/samples/" in finding.evidence[0].request
    assert finding.evidence[0].answer.startswith("422 ")


def test_a_wrong_word_in_a_record_is_found(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["vocabularies"]["verdict"]["UNDECIDED"] = "MAYBE"

    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, change))
    assert list(found) == ["vocabularies.verdict.UNDECIDED"]


def test_a_horizon_shorter_than_what_a_look_up_needs_is_found(tmp_path: Path) -> None:
    with faulty_lims.serve(lag=0.6) as lims:
        found = failed(tried(tmp_path, lims, horizon=0.1))
    assert "0.1 s is too short: a record of " in found["limits.horizon"].message
    measured = float(found["limits.horizon"].message.split(" took ")[1].split()[0])
    assert 0.6 <= measured < 5.0
    assert "was withheld, and the record is there " in found["operations.create_sample.find"].message


def test_a_horizon_that_is_long_enough_holds(tmp_path: Path) -> None:
    with faulty_lims.serve(lag=0.3) as lims:
        findings = tried(tmp_path, lims, horizon=2.0)
    assert failed(findings) == {}


def test_a_look_up_that_compares_nothing_that_changes_is_found(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["operations"]["create_sample"]["find"]["in_effect"] = {"sample_type": "sample_type"}

    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, change))
    assert list(found) == ["operations.create_sample.find.in_effect"]
    assert "before it is sent" in found["operations.create_sample.find.in_effect"].message


def test_states_that_all_seem_to_be_in_effect_are_found(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["operations"]["update_sample_status"]["find"]["in_effect"]["$status_field"]["order"].reverse()

    with faulty_lims.serve() as lims:
        found = failed(tried(tmp_path, lims, change))
    assert list(found) == ["operations.update_sample_status.find.in_effect"]


def test_a_stranger_writes_nothing(tmp_path: Path) -> None:
    with faulty_lims.serve() as lims:
        path = faulty_lims.contract(tmp_path)
        config = system_config("lims", lims.url, contract=str(path), api_key="another-key-of-tests")
        (finding,) = try_system(config, patience=1.0)
        assert (finding.check, finding.verdict) == ("identity", TrialVerdict.FAILS)
        assert lims.born == {}


def test_evidence_is_bounded_and_without_secrets(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["maps"]["sample"]["token"] = {"to": "metadata_token", "const": f"Bearer {faulty_lims.KEY}"}
        content["maps"]["sample"]["much"] = {"to": "much", "const": "x" * 5000}

    with faulty_lims.serve("look-up never finds") as lims:
        (finding,) = (each for each in tried(tmp_path, lims, change) if each.key == "operations.create_sample.find")
    assert len(finding.evidence) == 2
    assert all(len(each.request) <= 600 and len(each.answer) <= 600 for each in finding.evidence)
    assert faulty_lims.KEY not in str(finding)


def test_a_bulk_request_that_is_refused_is_found_and_the_rest_is_tried(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["operations"]["upload_results"]["bulk"]["path"] = "/results/many"

    with faulty_lims.serve() as lims:
        findings = tried(tmp_path, lims, change)
    assert list(failed(findings)) == ["operations.upload_results.bulk"]
    once = [finding for finding in findings if finding.check == "once" and "upload_results" in finding.key]
    assert [finding.verdict for finding in once] == [TrialVerdict.HOLDS]


def test_a_contract_without_look_up_is_tried_as_far_as_it_goes(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        for name in ("create_sample", "upload_results", "update_sample_status"):
            operation = content["operations"][name]
            del operation["find"]
            operation.update({"person": True, "on_change": "ignore"})
            operation.pop("update", None)

    with faulty_lims.serve() as lims:
        findings = tried(tmp_path, lims, change)
    assert failed(findings) == {}
    skipped = {finding.key for finding in findings if finding.verdict is TrialVerdict.SKIPPED}
    assert {"operations.create_sample.find", "operations.update_sample_status", "limits.horizon"} <= skipped
