"""Tables, and small ones as bytes: CSV for programs, workbooks for people. The same tables give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pv_testing.contracts.files import FileFormat
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.excel_writer import write_workbook


class Table(NamedTuple):
    """A table whose values stay what they are: no number is rounded, no gap turns whole numbers into others.

    Attributes:
        columns: the headings.
        rows: each as long as ``columns``; they may be read only once.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return a table of mappings, each with a value for some of the columns."""
    return Table(list(columns), [[row.get(name) for name in columns] for row in rows])


def csv(table: Table, *, for_people: bool = False) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8.

    Args:
        table: the table.
        for_people: begin with the mark by which spreadsheets recognise UTF-8; many programs stumble over it.
    """
    file = io.BytesIO(b"\xef\xbb\xbf" if for_people else b"")
    file.seek(0, io.SEEK_END)
    write_csv(file, table.columns, table.rows, FileFormat("csv"))
    return file.getvalue()


def workbook(sheets: Mapping[str, Table]) -> bytes:
    """Return tables as the sheets of an Excel workbook, each with a frozen heading, a filter and fitting columns.

    Args:
        sheets: the tables by the names of their sheets.

    Raises:
        ConfigError: a sheet can't be called so (``SHEET_UNUSABLE``), or there is none.
        DataError: a table or a text is too large for Excel (``TOO_LONG``).
    """
    file = io.BytesIO()
    write_workbook(file, sheets)
    return file.getvalue()
