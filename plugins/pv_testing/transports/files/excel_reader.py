"""Workbooks, read by calamine, which is many times as fast as openpyxl and expands no entities."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from pv_testing.contracts.files import FileFormat
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.values import instant
from pv_testing.transports.files.archive import refuse_harmful
from pv_testing.transports.files.rows import FileRow, heading_of, shaped, unreadable

EXACT = 10**15


def excel_rows(content: bytes, form: FileFormat, where: str) -> Iterator[FileRow]:
    """Give the rows of a sheet; see :func:`~pv_testing.transports.files.rows.read_rows`."""
    from python_calamine import CalamineError, CalamineWorkbook

    refuse_harmful(content, where)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = book.get_sheet_by_name(_sheet(book.sheet_names, form.sheet, where))
        rows = sheet.to_python(skip_empty_area=False)
    except CalamineError as error:
        raise unreadable(where, f"can't be read as a workbook: {error}") from None
    if not rows:
        raise unreadable(where, "is empty; not even a heading is there")
    names = heading_of(rows[0], where)
    for number, cells in enumerate(rows[1:], start=2):
        values = [_value(cell) for cell in cells]
        while len(values) > len(names) and values[-1] == "":
            values.pop()
        if any(value != "" for value in values):
            yield shaped(number, names, values)


def _sheet(names: list[str], wanted: str, where: str) -> str:
    if wanted in names:
        return wanted
    if wanted or len(names) != 1:
        why = f"has no sheet {wanted!r}, or several and none is declared; {allowed(wanted, names)}"
        raise unreadable(where, why, Reason.SHEET_UNDECLARED)
    return names[0]


def _value(cell: Any) -> Any:
    """Return a cell's value: a number that is whole as such, a point in time as text."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < EXACT else cell
    if hasattr(cell, "hour") and hasattr(cell, "year"):
        return instant(cell)
    return cell.isoformat() if hasattr(cell, "isoformat") else cell
