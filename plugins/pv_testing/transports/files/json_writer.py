"""Tables as JSON, written as they come, each number with its own digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

import orjson

from pv_testing.core.cells import text_of
from pv_testing.transports.files.chunks import Row, chunks
from pv_testing.transports.files.columns import has_any

BIG = 2**63
_WORDS = "NIn"
"""Letters of NaN and Infinity, which JSON doesn't have."""


def write_json(
    file: IO[bytes], tables: Mapping[str, tuple[Sequence[str], Iterable[Row]]], *, about: str = "json"
) -> None:
    """Write an object with a list of objects for each table.

    Args:
        file: where to.
        tables: columns and rows by name; each is read when it is written.
        about: what is written, for the log.
    """
    file.write(b"{")
    for place, (name, (columns, rows)) in enumerate(tables.items()):
        file.write((b",\n" if place else b"") + orjson.dumps(name) + b": ")
        write_list(file, columns, rows, about=f"{about}: {name}")
    file.write(b"}\n")


def write_list(file: IO[bytes], columns: Sequence[str], rows: Iterable[Row], *, about: str = "json") -> None:
    """Write the rows of a table as a list of objects; the arguments are those of :func:`write_json`."""
    file.write(b"[")
    before = b""
    for chunk in chunks(rows, about):
        file.write(before + _objects(columns, chunk))
        before = b",\n"
    file.write(b"]")


def _objects(names: Sequence[str], chunk: Sequence[Row]) -> bytes:
    """Return the rows of a chunk as JSON objects with commas between them.

    A text is made for the chunk, with ``%s`` for what differs between its rows: a dictionary for each row, as
    ``orjson`` wants it, takes longer.
    """
    fields = [_field(column) for column in zip(*chunk, strict=True)]
    said = zip(map(_quoted, names), fields, strict=True)
    template = "{" + ",".join(f"{name}:{shape}" for name, (shape, _) in said) + "}"
    columns = [values for _, values in fields if values is not None]
    rows = zip(*columns, strict=True) if columns else [()] * len(chunk)
    return ",".join(map(template.__mod__, rows)).encode()


def _field(column: Sequence[Any]) -> tuple[str, Sequence[Any] | None]:
    """Return how a column's values stand in the text of a chunk, and those that differ from row to row."""
    kinds = set(map(type, column))
    if kinds == {str}:
        if column.count(column[0]) == len(column):
            return _quoted(column[0]), None
        joined = "".join(column)
        if joined.isprintable() and not has_any('"\\', joined):
            return '"%s"', column
    if kinds == {int}:
        return "%s", column
    if kinds == {Decimal}:
        spelled = list(map(str, column))
        if not has_any(_WORDS, "".join(spelled)):
            return "%s", spelled
    return "%s", [encoded_list([value])[1:-1].decode() for value in column]


def _quoted(text: str) -> str:
    return encoded_list([text])[1:-1].decode().replace("%", "%%")


def encoded_list(rows: list[Any]) -> bytes:
    """Return objects or other values as a JSON list."""
    try:
        return orjson.dumps(rows, default=_exact)
    except TypeError:  # numbers above 64 bits, lone surrogates, keys that are no text
        return orjson.dumps(_plain(rows), default=_exact)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    return text_of(value)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: no lone surrogate, and no number that orjson refuses."""
    if isinstance(value, Mapping):
        return {text_of(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and abs(value) >= BIG:
        return orjson.Fragment(str(value))
    return text_of(value) if isinstance(value, str) else value
