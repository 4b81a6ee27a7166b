"""What products want of a trial: received samples, each quantity once, a change that is allowed, their own listings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pv_testing.cli.trying import read_given
from pv_testing.config import system_config
from pv_testing.core.errors import ConfigError
from pv_testing.testing import TrialFinding, TrialVerdict, try_system
from tests.conformance import faulty_lims
from tests.conformance.strict_lims import OwnWords, StrictLims

OWN_WORDS = "tests.conformance.strict_lims:OwnWords"
ALLOWED: Mapping[str, Any] = {"sample": {"changed": {"module": {"model": "T410"}}}}


def tried(folder: Path, lims: faulty_lims.FaultyLims, given: Mapping[str, Any], **other: str) -> list[TrialFinding]:
    path = faulty_lims.contract(folder)
    config = system_config("lims", lims.url, contract=str(path), api_key=faulty_lims.KEY, **other)
    return try_system(config, given=given, patience=1.0)


def failed(findings: list[TrialFinding]) -> dict[str, str]:
    return {finding.key: finding.message for finding in findings if finding.verdict is TrialVerdict.FAILS}


def test_a_site_says_what_may_change_of_a_record(tmp_path: Path) -> None:
    with faulty_lims.serve(server=StrictLims()) as lims:
        refused = failed(tried(tmp_path, lims, {}))["operations.create_sample.on_change"]
    assert "the customer stays" in refused
    assert "`changed` (--records)" in refused
    with faulty_lims.serve(server=StrictLims()) as lims:
        findings = tried(tmp_path, lims, ALLOWED)
        first = lims.samples[0]
    assert failed(findings) == {}
    assert (first["metadata"], first["customer"]) == ({"model": "T410"}, "Trial customer")
    assert ("update", "operations.create_sample.update") in {
        (each.check, each.key) for each in findings if each.verdict is TrialVerdict.HOLDS
    }


def test_a_change_that_says_no_fields_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "records.yaml"
    path.write_text("sample: {changed: protocols}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="sample: changed: must say fields"):
        read_given(str(path))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("", ""),
        ("loses keys", "without its key project_id, external_id"),
        ("gives the first page", "doesn't list"),
    ],
)
def test_a_listing_of_the_provider_is_tried_as_the_provider_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    monkeypatch.setattr(OwnWords, "fault", fault)
    with faulty_lims.serve(server=StrictLims()) as lims:
        findings = tried(tmp_path, lims, ALLOWED, provider_class=OWN_WORDS)
    by_key = {each.key: each for each in findings if each.check == "list"}
    samples, results = by_key["operations.get_samples.list"], by_key["operations.get_results.list"]
    assert samples.verdict is (TrialVerdict.FAILS if message else TrialVerdict.HOLDS)
    assert message in samples.message
    assert results.verdict is TrialVerdict.SKIPPED
    assert "without the record's key" in results.message
