"""A chunk's cells as text, column by column: most columns are of one type, and many hold few different texts.

What a cell becomes is said by :mod:`pv_testing.core.cells`, one cell at a time. Here whole columns that need no change
are recognised by C code, because a Python call for each of some million cells is what an export costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from pv_testing.core.cells import FORMULA, guarded, text_of

_HEADS = frozenset({*FORMULA, " "})
_SPELLED = "EeNnI"
"""Letters of numbers that aren't spelled as a file has them: exponents, NaN and Infinity."""


def texts(column: Sequence[Any], *, guard: bool = False) -> Sequence[str]:
    """Return a column's cells as a file shows them.

    Args:
        column: values of any types.
        guard: put an apostrophe before what a spreadsheet could take for a formula.
    """
    if type(column[0]) is str and column.count(column[0]) == len(column) > 1:
        return [*texts(column[:1], guard=guard)] * len(column)
    kinds = set(map(type, column))
    if type(None) in kinds and len(kinds) > 1:
        return _with_gaps(column, guard=guard)
    cell: Callable[[Any], str] = guarded if guard else text_of
    if kinds == {str}:
        return _words(column, cell, guard=guard)
    if len(kinds) == 1 and kinds <= {int, float, Decimal}:
        return _numbers(column, cell)
    return [cell(value) for value in column]


def _with_gaps(column: Sequence[Any], *, guard: bool) -> list[str]:
    present = iter(texts([value for value in column if value is not None], guard=guard))
    return ["" if value is None else next(present) for value in column]


def _words(column: Sequence[str], cell: Callable[[Any], str], *, guard: bool) -> Sequence[str]:
    known = set(column)
    harmless = not guard or _HEADS.isdisjoint({word[:1] for word in known})
    if harmless and "".join(known).isprintable():
        return column
    shown = {word: cell(word) for word in known}
    return [shown[word] for word in column]


def _numbers(column: Sequence[Any], cell: Callable[[Any], str]) -> list[str]:
    spelled = list(map(repr if type(column[0]) is float else str, column))
    return [cell(value) for value in column] if has_any(_SPELLED, "".join(spelled)) else spelled


def has_any(signs: str, text: str) -> bool:
    """Say whether a long text has one of a few signs; a set would look at each character as an object."""
    return any(sign in text for sign in signs)
