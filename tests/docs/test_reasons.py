"""The table of reason codes and the enum name the same codes; no code that decides is compared as text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_testing.core.reasons import Reason
from tests.docs.pages import PAGES, PROJECT, text

OTHERS = {"HTTP_4xx", "INVALID_TRANSITION", "EMPTY_ANSWER"}
"""What the table names of codes that come from a system, or from a contract's own rules."""
PLUGINS = PROJECT / "plugins"
OWN = ("core", "domain", "contracts", "transports", "ledger", "exchange", "providers", "integrations")
OF_OWN_LAYERS = sorted(path for folder in OWN for path in (PLUGINS / "pv_testing" / folder).rglob("*.py"))


def explained(page: Path) -> Iterator[str]:
    """Give the codes that the tables of a page explain: those in the first cell of a row."""
    for line in text(page).splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([A-Z][A-Za-z0-9_]+)`", line.split("|")[1])


def texts(node: ast.AST) -> Iterator[ast.Constant]:
    """Give the texts within a node that spell a member."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value in Reason.__members__:
            yield inner


def test_each_code_of_the_table_is_a_member() -> None:
    codes = set(explained(PROJECT / "docs" / "reference" / "reason-codes.md"))
    assert codes >= OTHERS
    assert codes - OTHERS - set(Reason.__members__) == set()


def test_each_member_is_explained_in_a_table() -> None:
    codes = {code for page in PAGES for code in explained(page)}
    assert set(Reason.__members__) - codes == set()


@pytest.mark.parametrize("path", OF_OWN_LAYERS, ids=lambda path: str(path.relative_to(PLUGINS / "pv_testing")))
def test_below_the_slices_a_code_is_never_spelled_as_text(path: Path) -> None:
    assert [f"{path.name}:{node.lineno} {node.value}" for node in texts(ast.parse(text(path)))] == []


def test_nowhere_is_a_code_compared_with_text() -> None:
    found = [
        f"{path.name}:{node.lineno} {node.value}"
        for path in sorted(PLUGINS.rglob("*.py"))
        for compared in ast.walk(ast.parse(text(path)))
        if isinstance(compared, ast.Compare)
        for node in texts(compared)
    ]
    assert found == []
