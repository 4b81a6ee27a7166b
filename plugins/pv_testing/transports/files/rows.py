"""What files of all formats are read as: rows with their numbers, each with what is wrong with itself alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pv_testing.contracts.files import FileFormat
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason

MOST_ROWS = 1_048_576


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a table, or a record of XML or JSON.

    Attributes:
        number: its number in the file; that of a table's heading is 1, that of the first record of another file, too.
        values: by heading, element or field.
        problem: why it can't be read; ``None`` where it can.
    """

    number: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: DataError | None = None


def read_rows(content: bytes, form: FileFormat, where: str) -> Iterator[FileRow]:
    """Give the rows of a file.

    Args:
        content: all of it, bounded by whoever has read it.
        form: how it is written.
        where: its name, for messages.

    Raises:
        DataError: it isn't what the contract says: another encoding, no such sheet, a heading twice.
        SecurityError: it is made to harm: a DOCTYPE, an archive that explodes.
    """
    if form.kind == "csv":
        from pv_testing.transports.files.csv_reader import csv_rows as read
    elif form.kind == "xlsx":
        from pv_testing.transports.files.excel_reader import excel_rows as read
    elif form.kind == "xml":
        from pv_testing.transports.files.xml_reader import xml_rows as read
    else:
        from pv_testing.transports.files.json_reader import json_rows as read
    for count, row in enumerate(read(content, form, where)):
        if count >= MOST_ROWS:
            raise unreadable(where, f"has more than {MOST_ROWS:,} rows; split it")
        yield row


def heading_of(cells: Sequence[Any], where: str) -> list[str]:
    """Return the headings of a table.

    Raises:
        DataError: one is empty or comes twice, so that a cell would count for another one.
    """
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or "" in names or twice:
        wrong = f"the heading {twice[0]!r} comes twice" if twice and twice != [""] else "a heading is empty"
        raise unreadable(where, f"{wrong} in its first row", Reason.HEADING)
    return names


def shaped(number: int, names: Sequence[str], cells: Sequence[Any]) -> FileRow:
    """Return a row of a table; one with too many or too few cells is its own problem."""
    if len(cells) != len(names):
        message = f"has {len(cells)} cells, the heading has {len(names)}; a delimiter or a quote may be missing"
        return FileRow(number, dict(zip(names, cells, strict=False)), DataError(message, code=Reason.ROW_SHAPE))
    return FileRow(number, dict(zip(names, cells, strict=True)))


def unreadable(where: str, why: str, code: str = Reason.FILE_UNREADABLE) -> DataError:
    """Return the error for a file that isn't what the contract says."""
    return DataError(f"{where} {why}", code=code)
