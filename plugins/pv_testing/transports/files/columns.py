"""A chunk's cells as text, column by column: most columns are of one type, and many hold few different texts.

What a cell becomes is said by :mod:`pv_testing.core.cells`, one cell at a time. Here whole columns that need no change
are recognised by C code, because a Python call for each of some million cells is what an export costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import chain, repeat
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
    if len(column) > 1 and is_one_word(column):
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


def is_one_word(column: Sequence[Any]) -> bool:
    """Say whether all cells of a column are the same text, as those of a service request's number."""
    return type(column[0]) is str and column.count(column[0]) == len(column)


def rendered(parts: Sequence[str | Sequence[str]], count: int) -> str:
    """Return a text that has, for each row, some fixed parts and its own values between them.

    All of it is done by C code in one pass; a format for each row takes five times as long.

    Args:
        parts: in their order: a text that is the same in each row, or the values of a column.
        count: how many rows there are.
    """
    merged: list[str | Sequence[str]] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        else:
            merged.append(part)
    if len(merged) == 1 and isinstance(merged[0], str):
        return merged[0] * count
    columns = [repeat(part, count) if isinstance(part, str) else part for part in merged]
    return "".join(chain.from_iterable(zip(*columns, strict=True)))
