"""Tables as CSV (RFC 4180), written as they come.

No library is used here: ``polars`` and ``pyarrow`` want one number of decimal places for a column, where ours keep the
digits that each value came with, and ``csv`` takes twice the time of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Any

from pv_testing.contracts.files import FileFormat
from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.transports.files.chunks import Progress, Row, chunks
from pv_testing.transports.files.columns import is_one_word, rendered, texts

LINE = "\r\n"
CSV = FileFormat("csv")


def write_csv(
    file: IO[bytes], columns: Sequence[str], rows: Iterable[Row], form: FileFormat = CSV, *, about: str = "csv"
) -> None:
    """Write a table.

    Args:
        file: where to.
        columns: the headings.
        rows: each as long as ``columns``.
        form: encoding, delimiter, sign of decimals, and whether formulas are made harmless.
        about: what is written, for the log.

    Raises:
        DataError: the encoding can't hold a character (``NOT_ENCODABLE``).
    """
    heading = [_quoted(texts([name], guard=form.guarded), form.delimiter)[0] for name in columns]
    file.write(encoded(form.delimiter.join(heading) + LINE, form.encoding))
    for chunk in chunks(rows, Progress(about)):
        cells = [_cells(column, form) for column in zip(*chunk, strict=True)]
        file.write(encoded(_lines(cells, len(chunk), form.delimiter), form.encoding))


def _cells(column: Sequence[Any], form: FileFormat) -> Sequence[str]:
    shown = texts(column, guard=form.guarded)
    if form.decimal == ".":
        return shown
    return [
        text if isinstance(value, str) else text.replace(".", form.decimal)
        for text, value in zip(shown, column, strict=True)
    ]


def _lines(cells: list[Sequence[str]], count: int, delimiter: str) -> str:
    """Return the rows of a chunk as text; cells are only looked at where the chunk has a sign that must be quoted."""
    text = _joined(cells, count, delimiter)
    plain = '"' not in text and text.count("\n") == text.count("\r") == count
    if plain and text.count(delimiter) == count * (len(cells) - 1) and len(cells) > 1:
        return text
    return _joined([_quoted(column, delimiter, alone=len(cells) == 1) for column in cells], count, delimiter)


def _joined(cells: Sequence[Sequence[str]], count: int, delimiter: str) -> str:
    parts: list[str | Sequence[str]] = []
    for column in cells:
        parts += [column[0] if is_one_word(column) else column, delimiter]
    return rendered([*parts[:-1], LINE], count)


def _quoted(column: Sequence[str], delimiter: str, *, alone: bool = False) -> list[str]:
    """Return cells with quotes where they need them; an empty cell that is a whole row needs them, too."""
    signs = (delimiter, '"', "\r", "\n")
    return [
        '"' + text.replace('"', '""') + '"' if any(sign in text for sign in signs) or (alone and not text) else text
        for text in column
    ]


def encoded(text: str, encoding: str) -> bytes:
    """Return text in an encoding.

    Raises:
        DataError: the encoding lacks a character.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        sign = error.object[error.start]
        message = f"the character {sign!r} can't be written in {encoding}; choose utf-8, or correct the text"
        raise DataError(message, code=Reason.NOT_ENCODABLE) from None
