"""CSV in the declared encoding, with the declared delimiter."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from pv_testing.contracts.files import FileFormat
from pv_testing.core.cells import is_risky
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.rows import FileRow, heading_of, shaped, unreadable

MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""How files begin that say their encoding themselves."""


def csv_rows(content: bytes, form: FileFormat, where: str) -> Iterator[FileRow]:
    """Give the rows of a CSV file; see :func:`~pv_testing.transports.files.rows.read_rows`."""
    text = io.StringIO(decoded(content, form.encoding, where), newline="")
    lines = csv.reader(text, delimiter=form.delimiter, strict=True)
    names: list[str] = []
    number = 0
    try:
        for number, cells in enumerate(lines, start=1):
            if not names:
                names = heading_of(cells, where)
            elif any(cells):
                yield shaped(number, names, [_unguarded(cell) for cell in cells] if form.guarded else cells)
    except csv.Error as error:
        raise unreadable(where, f"is no CSV after row {number}: {error}") from None
    if not names:
        raise unreadable(where, "is empty; not even a heading is there")


def decoded(content: bytes, encoding: str, where: str) -> str:
    """Return text in a declared encoding.

    Raises:
        DataError: it isn't in that encoding, or says another one itself (``WRONG_ENCODING``).
    """
    for mark, marked in MARKS.items():
        if content.startswith(mark):
            if not encoding.lower().replace("_", "-").startswith(marked):
                message = f"begins with the mark of {marked}, and {encoding} is declared; correct the one or the other"
                raise unreadable(where, message, Reason.WRONG_ENCODING)
            content = content[len(mark) :] if marked == "utf-8" else content
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"isn't in {encoding}, as declared: byte {error.start} in line {line} can't be read"
        raise unreadable(where, message, Reason.WRONG_ENCODING) from None
    if "\x00" in text:
        raise unreadable(
            where, f"has zero bytes, so that it isn't in {encoding} or no text at all", Reason.WRONG_ENCODING
        )
    return text


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and is_risky(cell[1:]) else cell
