"""OData filters as far as the stand-in of Dataverse knows them: terms that are all met."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_COMPARED = re.compile(r"(\w+) (eq|lt) (\S+)")
_STARTS = re.compile(r"startswith\((\w+),'((?:[^']|'')*)'\)")


def meets(row: Mapping[str, Any], only: str) -> bool:
    """Say whether a row meets a filter.

    Raises:
        ValueError: a term isn't known.
    """
    return all(_meets(row, term) for term in only.split(" and ") if term)


def _meets(row: Mapping[str, Any], term: str) -> bool:
    if starts := _STARTS.fullmatch(term):
        return str(row.get(starts[1]) or "").startswith(starts[2].replace("''", "'"))
    compared = _COMPARED.fullmatch(term)
    if compared is None:
        raise ValueError(term)
    name, operator, value = compared.groups()
    there = str(row.get(name) if row.get(name) is not None else "null")
    return there == value.strip("'") if operator == "eq" else there < value
