"""The glossary of CONTRIBUTING.md: its words are used, and those that were retired are gone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import PROJECT, text

RETIRED = {
    "Chunk": "ChunkProcessor",
    "Run": "ExchangeContext",
    "Settling": "ClaimBuffer",
    "Unfinished": "SweepBacklog",
    "Settled": "ExecutionCheckpoint",
    "Reported": "NcInputCache",
    "Billed": "InvoiceState",
    "Case": "InvoiceJob",
    "ByHand": "ManualAdjustments",
    "Judge": "ResponseClassifier",
    "Keeper": "RetryAfterStore",
    "Gate": "Throttle",
    "Slots": "ConcurrencyLimit",
    "rehearse": "dry_run",
    "rehearsal": "dry_run",
    "change_watermark": "update",
}
SOURCES = sorted(path for folder in ("plugins", "dags") for path in (PROJECT / folder).rglob("*.py"))


def names(path: Path) -> set[str]:
    """Return every name that a module defines or takes as an argument."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def test_no_retired_word_is_the_name_of_anything() -> None:
    # The ledger's own change of a watermark is the one place below its state store.
    there = {(path.name, word) for path in SOURCES for word in names(path) & RETIRED.keys()}
    assert there - {("marks.py", "change_watermark"), ("state_store.py", "change_watermark")} == set()


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (PROJECT / "docs").glob("*.md"))]
)
def test_no_page_speaks_of_a_rehearsal(page: str) -> None:
    assert re.search(r"rehears", text(PROJECT / page)) is None


def test_each_word_of_the_glossary_is_used_where_it_is_at_home() -> None:
    glossary = text(PROJECT / "CONTRIBUTING.md").partition("## Words")[2]
    words = [row.split("|")[1].strip() for row in glossary.splitlines() if row.startswith("| ")][1:]
    everything = "\n".join(text(path) for path in SOURCES).lower()
    assert len(words) == len(set(words)) >= 25
    assert [word for word in words if re.sub(r" \(.*\)", "", word) not in everything] == []
