"""Tables as bytes: CSV for programs, workbooks for people. The same tables always give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pv_testing.core.cells import guarded, is_risky, text_of
from pv_testing.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pandas import DataFrame

PRECISION = 15
"""The significant digits of a spreadsheet's numbers; a number with more is written as text."""
MOST_PLACES = 30
MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
NARROWEST, WIDEST = 8, 60
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Return a table with unchanged values: no number is rounded, no gap turns whole numbers into others.

    Args:
        columns: their names, in order.
        rows: each with a value for some of the columns.
    """
    from pandas import DataFrame

    return DataFrame([[row.get(name) for name in columns] for row in rows], columns=list(columns), dtype=object)


def csv(frame: DataFrame, *, for_people: bool = False) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8.

    Args:
        frame: the table.
        for_people: begin with the mark by which spreadsheets recognise UTF-8; many programs stumble over it.
    """
    written: str = frame.map(guarded).rename(columns=guarded).to_csv(index=False, lineterminator="\r\n")
    return written.encode("utf-8-sig" if for_people else "utf-8")


def workbook(sheets: Mapping[str, DataFrame]) -> bytes:
    """Return tables as the sheets of an Excel workbook, each with a frozen heading, a filter and fitting columns.

    Args:
        sheets: the tables by the names of their sheets.

    Raises:
        ConfigError: a sheet can't be called so (``SHEET_UNUSABLE``), or there is none.
        DataError: a table or a text is too large for Excel (``TOO_LONG``).
    """
    from openpyxl import Workbook

    if not sheets:
        raise ConfigError("a workbook needs at least one sheet", code="SHEET_UNUSABLE")
    book = Workbook()
    book.remove(book.active)
    for name, frame in sheets.items():
        _fill(_sheet(book, name, sheets), name, frame)
    return _timeless(book)


def _sheet(book: Any, name: str, sheets: Mapping[str, Any]) -> Any:
    unlike = len({other.casefold() for other in sheets}) == len(sheets)
    if not 0 < len(name) <= 31 or any(sign in r"[]:*?/\'" for sign in name) or not unlike:
        message = f"no sheet can be called {name[:40]!r}: 1 to 31 characters, none of []:*?/\\', and no name twice"
        raise ConfigError(message, code="SHEET_UNUSABLE")
    return book.create_sheet(name)


def _fill(sheet: Any, name: str, frame: DataFrame) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    if len(frame) >= MOST_ROWS:
        raise DataError(f"{name}: Excel holds {MOST_ROWS - 1:,} rows, not {len(frame):,}; use CSV", code="TOO_LONG")
    widths = [len(heading) for heading in frame.columns]
    for row, values in enumerate([frame.columns, *frame.itertuples(index=False)], start=1):
        for column, value in enumerate(values, start=1):
            shown = _put(sheet.cell(row, column), value)
            widths[column - 1] = max(widths[column - 1], len(shown))
    for column, width in enumerate(widths, start=1):
        sheet.cell(1, column).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = min(max(width + 2, NARROWEST), WIDEST)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _put(cell: Any, value: Any) -> str:
    """Write a value into a cell, text always as text, and return how it looks."""
    shown = text_of(value)
    places = _places(value)
    if places is not None:
        cell.value = value
        cell.number_format = f"0.{'0' * places}" if places else "0"
        return shown
    if len(shown) > MOST_CHARACTERS:
        message = f"a text has {len(shown):,} characters, a cell holds {MOST_CHARACTERS:,}; use CSV"
        raise DataError(message, code="TOO_LONG")
    cell.value = shown or None
    if shown:
        cell.data_type = "s"
        cell.quotePrefix = is_risky(shown)
    return shown


def _places(value: Any) -> int | None:
    """Return the decimal places of a number that a spreadsheet can hold exactly; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    exact = Decimal(str(value))
    if not exact.is_finite() or len(exact.as_tuple().digits) > PRECISION or exact.adjusted() >= PRECISION:
        return None
    places = max(0, -int(exact.as_tuple().exponent))
    return places if places <= MOST_PLACES else None


def _timeless(book: Any) -> bytes:
    """Return a workbook that doesn't say when it was written."""
    from openpyxl.writer.excel import ExcelWriter

    book.properties.created = book.properties.modified = datetime(*_LONG_AGO)  # noqa: DTZ001 - openpyxl's way
    written, result = io.BytesIO(), io.BytesIO()
    ExcelWriter(book, zipfile.ZipFile(written, "w")).save()
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, _LONG_AGO), old.read(name), zipfile.ZIP_DEFLATED)
    return result.getvalue()
