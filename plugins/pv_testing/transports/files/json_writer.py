"""Tables as JSON, written as they come, each number with its own digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

import orjson

from pv_testing.core.cells import text_of
from pv_testing.transports.files.chunks import Progress, Row, chunks
from pv_testing.transports.files.columns import has_any, is_one_word, rendered

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
    for chunk in chunks(rows, Progress(about)):
        file.write(before + _objects(columns, chunk))
        before = b",\n"
    file.write(b"]")


def _objects(names: Sequence[str], chunk: Sequence[Row]) -> bytes:
    """Return the rows of a chunk as JSON objects with commas between them.

    ``orjson`` would need a dictionary for each row and be asked about each ``Decimal``, which takes twice the time.
    """
    parts: list[str | Sequence[str]] = []
    for name, column in zip(names, zip(*chunk, strict=True), strict=True):
        parts += ["," if parts else "{", f"{_encoded(name)}:", *_values(column)]
    return rendered([*parts, "},"], len(chunk))[:-1].encode()


def _values(column: Sequence[Any]) -> Sequence[str | Sequence[str]]:
    """Return a column's values as JSON, and the quotes around them; what all rows have is said once."""
    if is_one_word(column):
        return [_encoded(column[0])]
    kinds = set(map(type, column))
    if kinds == {str}:
        joined = "".join(column)
        if joined.isprintable() and not has_any('"\\', joined):
            return ['"', column, '"']
    if kinds == {int}:
        return [list(map(str, column))]
    if kinds == {Decimal}:
        spelled = list(map(str, column))
        if not has_any(_WORDS, "".join(spelled)):
            return [spelled]
    return [[_encoded(value) for value in column]]


def _encoded(value: Any) -> str:
    return encoded_list([value])[1:-1].decode()


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
