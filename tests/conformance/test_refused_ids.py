"""The trial asks for ids that aren't there, and sees where a refusal is taken for a success."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pv_testing.testing import TrialFinding, TrialVerdict
from pv_testing.testing.unknown import absent
from tests.conformance import faulty_lims
from tests.conformance.test_planted_faults import failed, tried

STATUS, SAMPLE = "operations.update_sample_status", "operations.create_sample.update"


def unpromised(content: Any) -> None:
    """Let an answer to a status say no id, in the contract."""
    del content["operations"]["update_sample_status"]["reply"]


def with_a_rule(content: Any) -> None:
    rule = {"status": 200, "at": "ok", "equals": False, "verdict": "rejected"}
    content.setdefault("errors", {}).setdefault("rules", []).append(rule)
    content["operations"]["update_sample_status"].pop("reply")


def of_refusals(findings: list[TrialFinding]) -> dict[str, TrialFinding]:
    return {finding.key: finding for finding in findings if finding.check == "refused"}


def test_a_refusal_that_is_taken_for_a_success_is_found(tmp_path: Path) -> None:
    with faulty_lims.serve("refuses under a success") as lims:
        found = failed(tried(tmp_path, lims, unpromised))
    assert list(found) == ["errors.rules"]
    finding = found["errors.rules"]
    assert finding.message.startswith(
        "update_sample_status: the system's answer to an id that isn't there is taken as "
    )
    (shown,) = finding.evidence
    assert shown.request.startswith("PUT /api/samples/LIM-99")
    assert "E-NOTFOUND" in shown.answer


def test_a_refusal_without_the_id_that_is_promised_is_noted(tmp_path: Path) -> None:
    """It isn't in effect, but it isn't known as a refusal either."""
    with faulty_lims.serve("refuses under a success") as lims:
        findings = tried(tmp_path, lims)
    assert failed(findings) == {}
    noted = [finding for finding in findings if finding.verdict is TrialVerdict.NOTED]
    assert {(finding.check, finding.key) for finding in noted} == {("refused", "errors.rules")}
    assert {finding.message.partition(":")[0] for finding in noted} >= {"create_sample", "update_sample_status"}


def test_a_refusal_that_the_contract_knows_holds(tmp_path: Path) -> None:
    with faulty_lims.serve("refuses under a success") as lims:
        findings = tried(tmp_path, lims, with_a_rule)
    assert {key: finding.verdict for key, finding in of_refusals(findings).items()} == {
        SAMPLE: TrialVerdict.HOLDS,
        "operations.upload_results": TrialVerdict.HOLDS,
        STATUS: TrialVerdict.HOLDS,
    }


def test_a_system_that_creates_what_is_not_there_is_found(tmp_path: Path) -> None:
    with faulty_lims.serve("creates what is not there") as lims:
        findings = tried(tmp_path, lims, unpromised)
    finding = of_refusals(findings)[STATUS]
    assert finding.verdict is TrialVerdict.FAILS
    assert "creates what isn't there instead of refusing it" in finding.message
    assert len(finding.evidence) == 2


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("100282", "900100282"),
        ("LIM-000001", "LIM-999998"),
        ("2f1c9d0a7b3e4455a1b2c3d4e5f60718", "2f1c9d0a7b3e4455a1b2c3d4e5a39281"),
        ("xyz", "xyz-000"),
    ],
)
def test_an_id_that_is_not_there_looks_like_one_that_is(known: str, other: str) -> None:
    assert absent(known) == other
