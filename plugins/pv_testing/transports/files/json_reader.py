"""JSON records, each number with its own digits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pv_testing.contracts.files import FileFormat
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.csv_reader import decoded
from pv_testing.transports.files.rows import FileRow, unreadable


def json_rows(content: bytes, form: FileFormat, where: str) -> Iterator[FileRow]:
    """Give the objects of a list; see :func:`~pv_testing.transports.files.rows.read_rows`."""
    text = decoded(content, "utf-8", where)
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_distinct)
    except RecursionError:
        raise unreadable(where, "is nested too deeply") from None
    except ValueError as error:
        raise unreadable(where, f"is no JSON: {error}") from None
    records = document.get(form.root) if form.root and isinstance(document, dict) else document
    if not isinstance(records, list):
        raise unreadable(where, f"has no list of records at {form.root or 'its top'}", Reason.ROOT)
    for number, each in enumerate(records, start=1):
        if isinstance(each, dict):
            yield FileRow(number, each)
        else:
            yield FileRow(number, {}, unreadable(f"record {number}", "is no object", Reason.ROW_SHAPE))


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field comes twice in one object")
    return fields
