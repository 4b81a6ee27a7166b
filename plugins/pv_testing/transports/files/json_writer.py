"""Tables as JSON, written as they come, each number with its own digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

import orjson

from pv_testing.core.cells import text_of
from pv_testing.transports.files.chunks import Row, chunks

BIG = 2**63


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
        file.write(before + encoded_list([dict(zip(columns, row, strict=True)) for row in chunk])[1:-1])
        before = b",\n"
    file.write(b"]")


def encoded_list(rows: list[dict[str, Any]]) -> bytes:
    """Return objects as a JSON list."""
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
