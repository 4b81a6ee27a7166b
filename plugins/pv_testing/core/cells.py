"""The content of cells: numbers with all their digits, and text that no spreadsheet takes for a formula."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_ZEROS = 40


def text_of(value: Any) -> str:
    """Return a value as a file shows it; nothing is rounded, and ``None`` is empty.

    Args:
        value: text, a number, a truth value, or a list or mapping of them, which becomes one line. Characters that XML
            and spreadsheets can't hold are shown as such.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, Decimal)):
        return _digits(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {text_of(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text_of, value))
    return _UNPRINTABLE.sub("\ufffd", str(value))


def _digits(value: float | Decimal) -> str:
    exact = Decimal(str(value))
    return format(exact, "f") if exact.is_finite() and abs(exact.adjusted()) < _MOST_ZEROS else str(exact)


def is_number(text: str) -> bool:
    """Return whether text spells a number and nothing else."""
    return _NUMBER.fullmatch(text) is not None


def is_risky(text: str) -> bool:
    """Return whether a spreadsheet could take text for a formula; a plain number such as ``-0.35`` is none."""
    return text.lstrip(" ").startswith(FORMULA) and not is_number(text)


def guarded(value: Any) -> str:
    """Return a value as a CSV file shows it: with an apostrophe before text like a formula."""
    text = text_of(value)
    return f"'{text}" if is_risky(text) else text
