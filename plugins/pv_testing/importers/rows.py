"""A row of a file as a record of ours, or what is wrong with it: every column that is, with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pv_testing.contracts.imports import FileColumn, FileImport
from pv_testing.core.errors import DataError, MappingError
from pv_testing.core.records import Record
from pv_testing.transports.files.rows import FileRow

NOTES = ("_row", "_column", "_code", "_reason")
"""The columns that a file of rejected rows has besides; they are left out when it is dropped again."""
_WITH_COMMA = re.compile(r"[-+]?[0-9]+(,[0-9]+)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a row.

    Attributes:
        column: where; empty where it is the row as a whole.
        code: a short reason code.
        reason: the same in words for a person.
    """

    column: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row with what became of it so far.

    Attributes:
        row: as it is in the file.
        record: ours; ``None`` where not even its key can be told.
        wrong: what is wrong with it.
    """

    row: FileRow
    record: Record | None
    wrong: tuple[Wrong, ...] = ()


def read_row(row: FileRow, how: FileImport) -> ReadRow:
    """Return a row as a record.

    Args:
        row: of a file.
        how: the file is imported.
    """
    if row.problem is not None:
        return ReadRow(row, None, (Wrong("", row.problem.code, row.problem.message),))
    values = {name: value for name, value in row.values.items() if name not in NOTES}
    data: dict[str, Any] = {}
    wrong = []
    for column in how.columns:
        try:
            data.update(_merged(data, column.map.out(_with_point(values, column, how.form.decimal))))
        except DataError as error:
            reason = error.message.removeprefix(f"{column.name}: ")
            wrong.append(Wrong(column.name, error.code, reason))
    key = how.key.fill(data)
    if key is None:
        missing = [name for name in how.key.names if not any(each.map.mapping.get(name) for each in how.columns)]
        reason = f"it has no value for {how.key.text}, by which it is known"
        return ReadRow(row, None, tuple(wrong) or (Wrong(", ".join(missing), "KEY_MISSING", reason),))
    if wrong:
        text = "; ".join(f"{each.column}: {each.reason}" for each in wrong)
        return ReadRow(row, Record(key, data, MappingError(text, key=key, code=wrong[0].code)), tuple(wrong))
    return ReadRow(row, Record(key, data))


def _with_point(values: Mapping[str, Any], column: FileColumn, decimal: str) -> Mapping[str, Any]:
    """Return a row whose number has a point, where the contract declares a comma; one with a point is refused."""
    value = values.get(column.name)
    if decimal == "." or not column.number or not isinstance(value, str) or not value:
        return values
    if not _WITH_COMMA.fullmatch(value.strip()):
        message = f"{value[:40]!r} is no number with a decimal comma, as declared"
        raise MappingError(message, code="NOT_A_NUMBER")
    return {**values, column.name: value.strip().replace(",", ".")}


def _merged(data: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Return one column's part of the record; of a nested field, beside what other columns said."""
    return {
        name: {**data[name], **value} if isinstance(value, dict) and isinstance(data.get(name), dict) else value
        for name, value in part.items()
    }
