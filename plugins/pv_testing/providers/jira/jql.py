"""JQL with values in it, quoted so that no value can say more than itself."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(value: str) -> str:
    """Return a value as JQL has a text."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def among(field: str, values: Iterable[str]) -> str:
    """Return the clause that a field has one of some values."""
    return f"{field} in ({', '.join(quoted(value) for value in values)})"


def phrase(field: str, text: str) -> str:
    """Return the clause that a text field holds a phrase; the index ignores case and punctuation."""
    inner = text.replace("\\", " ").replace('"', " ")
    return f"{field} ~ {quoted(quoted(inner))}"
