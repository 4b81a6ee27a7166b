"""The pages of the documentation and what is printed in them."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")), PROJECT / "sandbox" / "README.md"]


def text(page: Path) -> str:
    """Return a page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of one language, each with as many empty lines before it as the page has lines."""
    whole = text(page)
    return [
        "\n" * whole[: match.start(1)].count("\n") + match[1]
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", whole, re.DOTALL | re.MULTILINE)
    ]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text(page), flags=re.DOTALL | re.MULTILINE)
