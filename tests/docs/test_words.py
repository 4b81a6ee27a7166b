"""The glossary of CONTRIBUTING.md: its words are used, and those that were retired are gone."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, PROJECT, prose, text

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
    "bring": "perform",
    "doubtful": "unresolved_fingerprint, may_have_effect of an error, or in_doubt",
}
SAID = {"said", "_said"}
"""Variables that are to be named by what they hold, such as answer, row or reason; in tests and stand-ins too."""
VAGUE = re.compile(r"\b(nobody|anybody|everybody|she|hers?|no one)\b", re.IGNORECASE)
"""Words that a reader whose first language is another one reads twice, or that say of a person what isn't known."""
RETIRED_IN_PAGES = {
    r"\b(nobody|anybody|everybody|somebody|no one|someone)\b": "the person, the user, or the role",
    r"\b(she|hers?)\b": "the person, the user, or the role",
    r"\bwho(so)?ever\b|\bwhat(so)?ever\b": "the person who, or any",
    r"\bwhat (is|are|was|were|has|have|had)\b": "the noun itself, such as the content, the result, the records",
    r"[,;] for (it|they|this|that|these|there|nothing|no|what|we|none)\b": "because",
    r"\brehears": "dry run",
    r"\b(recogniz|authoriz|normaliz|summariz|organiz|initializ|serializ)\w*": "the British spelling, with s",
    r"\b(color|behavior|(?<!data )center|catalog|canceled|labeled|gray)\b": "the British spelling",
}
PROSE = {"STRING", "FSTRING_MIDDLE", "COMMENT"}
BELOW_THE_SLICES = ("domain", "contracts", "transports", "ledger", "exchange", "providers", "integrations")
WRITTEN = [*PAGES, PROJECT / "CONTRIBUTING.md"]
SOURCES = sorted(path for folder in ("plugins", "dags") for path in (PROJECT / folder).rglob("*.py"))
FOLDERS = ("plugins", "dags", "demo", "sandbox", "cluster", "tests")
ALL_SOURCES = sorted(path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py"))


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
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_no_retired_word_is_the_name_of_anything() -> None:
    # The ledger's own change of a watermark is the one place below its state store.
    used = {(path.name, word) for path in SOURCES for word in names(path) & RETIRED.keys()}
    assert used - {("marks.py", "change_watermark"), ("state_store.py", "change_watermark")} == set()


def test_no_variable_is_named_said() -> None:
    there = [path for path in ALL_SOURCES if "said" in text(path)]
    assert [path.name for path in there if names(path) & SAID] == []


def below_the_slices() -> list[Path]:
    """Return the modules of the layers below the slices."""
    root = PROJECT / "plugins" / "pv_testing"
    return sorted(path for folder in BELOW_THE_SLICES for path in (root / folder).rglob("*.py"))


@pytest.mark.parametrize("path", below_the_slices(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_below_the_slices_no_word_is_vague(path: Path) -> None:
    prose = [token.string for token in tokens(path) if tokenize.tok_name[token.type] in PROSE]
    assert [found[0] for each in prose if (found := VAGUE.search(each))] == []


def tokens(path: Path) -> Iterator[tokenize.TokenInfo]:
    """Give the tokens of a module."""
    with path.open("rb") as file:
        yield from tokenize.tokenize(file.readline)


def retired(words: str) -> dict[str, str]:
    """Return the retired words of a page, each with what to write instead."""
    line = re.sub(r"`[^`]*`", "", " ".join(words.split()))  # a phrase may go over two lines; code is no prose
    return {m[0]: instead for word, instead in RETIRED_IN_PAGES.items() for m in re.finditer(word, line, re.IGNORECASE)}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(PROJECT)))
def test_no_page_has_a_retired_word(page: Path) -> None:
    assert retired(prose(page)) == {}


@pytest.mark.parametrize(
    "sentence", ["Nobody\nsees it.", "It looks up what\nis in doubt.", "It waits, for it has no number.", "Ask her."]
)
def test_a_retired_word_is_found(sentence: str) -> None:
    assert len(retired(sentence)) == 1


def test_each_word_of_the_glossary_is_used_where_it_is_at_home() -> None:
    glossary = text(PROJECT / "CONTRIBUTING.md").partition("## Words")[2]
    words = [row.split("|")[1].strip() for row in glossary.splitlines() if row.startswith("| ")][1:]
    everything = "\n".join(text(path) for path in SOURCES).lower()
    assert len(words) == len(set(words)) >= 25
    assert [word for word in words if re.sub(r" \(.*\)", "", word) not in everything] == []
