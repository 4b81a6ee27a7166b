"""What docs/reference/quality.md prints happens: its rules can be read, its defaults are the code's and the file's."""

from __future__ import annotations

from pathlib import Path

from pv_testing.contracts import load_contract
from pv_testing.domain.records import Criterion
from pv_testing.quality.policy import MAJOR, MINOR, QualityPolicy
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "reference" / "quality.md"


def test_the_printed_rules_are_read_as_the_page_explains_them(tmp_path: Path) -> None:
    (printed,) = blocks(PAGE, "yaml")
    path = tmp_path / "quality.yaml"
    path.write_text(printed, encoding="utf-8")
    policy = QualityPolicy.read(path)
    assert (
        policy.severity("PVTP-035", []) == policy.severity("PVTP-001", [Criterion("Leakage_Current", "FAIL")]) == MAJOR
    )
    assert policy.severity("PVTP-012", [Criterion("Pmax", "FAIL")]) == MINOR
    assert policy.calibration_days == 14
    assert policy.corrective_actions.of("PVTP-035", "Mechanical Testing") == "Measure each bypass diode by itself."
    assert policy.corrective_actions.of("PVTP-010", "Electrical Safety").startswith("Mark the module")
    assert policy.corrective_actions.of("PVTP-001", "Module Performance").startswith("Isolate the module")


def test_the_shipped_rules_have_the_defaults_of_the_page() -> None:
    shipped, default = QualityPolicy.read(PROJECT / "config" / "quality.yaml"), QualityPolicy()
    assert shipped.critical_protocols == default.critical_protocols
    assert (shipped.critical_criteria, shipped.calibration_days) == ((), default.calibration_days)


def test_every_field_of_a_report_is_described() -> None:
    page = text(PAGE)
    for name in ("qms_custom", "qms_redmine"):
        fields = set(load_contract(name).maps["nc"].mapping) - {"tracker", "severity_word"}
        assert [field for field in sorted(fields) if f"`{field}`" not in page] == []
