"""The ways that docs/explanation/design.md writes down pass files that there are, and few of them."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PROJECT, text

WAYS = ("The way of one module", "The way of one FAIL")


def passed(title: str) -> list[str]:
    section = text(PROJECT / "docs" / "explanation" / "design.md").partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_/]+\.py)` \|", section, re.MULTILINE)


@pytest.mark.parametrize("title", WAYS)
def test_each_file_on_the_way_is_there_and_there_are_fewer_than_twenty(title: str) -> None:
    files = passed(title)
    assert len(set(files)) == len(files)
    assert 8 <= len(files) < 20
    assert [file for file in files if not (PROJECT / file).is_file()] == []
