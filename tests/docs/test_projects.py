"""What docs/reference/projects.md prints is what happens: its rules are read, its codes are the real ones."""

from __future__ import annotations

import re
from pathlib import Path

from pv_testing.projects import HoursRule, ProjectRules
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "reference" / "projects.md"
SOURCES = ("projects/*.py",)


def test_the_printed_rules_are_read_as_the_page_explains_them(tmp_path: Path) -> None:
    (printed,) = blocks(PAGE, "yaml")
    (tmp_path / "projects.yaml").write_text(printed, encoding="utf-8")
    rules = ProjectRules.read(tmp_path / "projects.yaml")
    assert (rules.progress, rules.project, rules.roles) == ("mean", "PV-LAB", ("operator", "engineer"))
    assert rules.hours_rule("PVTP-018") == HoursRule(ratio=1, cap=6)
    assert rules.hours_rule("PVTP-052") == HoursRule(ratio=0.05, cap=40)
    assert rules.hours_rule("PVTP-001") == HoursRule(ratio=1, cap=8) == ProjectRules().hours_rule("PVTP-001")


def test_every_code_of_the_code_is_on_the_page() -> None:
    sources = [path for pattern in SOURCES for path in (PROJECT / "plugins" / "pv_testing").glob(pattern)]
    raised = {code for source in sources for code in re.findall(r'code=(?:"|Reason\.)([A-Z_]+)', text(source))}
    assert len(raised) >= 6
    assert [code for code in sorted(raised) if f"`{code}`" not in text(PAGE)] == []
