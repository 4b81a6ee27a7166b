"""What a contract says of a database: tables, and what each of its calls does there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pv_testing.contracts.columns import TableColumn
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason

Verb = Literal["select", "insert", "update", "upsert"]
VERBS: tuple[Verb, ...] = ("select", "insert", "update", "upsert")
COMPARISONS = ("=", ">=", ">", "<=", "<")
AFTER, LIMIT, ROWS, NEXT, STATUS = ":after", ":limit", "rows", "next", ":status"
"""Parameters and parts of answers that no column can be called."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table or view.

    Attributes:
        name: as the database has it, capitals included.
        columns: those that the contract uses, by name.
        key: the columns that name one row in the laboratory's words; empty where rows are only read.
        id: the column with the database's own number of a row; empty where there is none.
    """

    name: str
    columns: Mapping[str, TableColumn]
    key: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows that belong to a row and are inserted with it.

    Attributes:
        table: where they go.
        parent: columns of theirs that take the value of a column of the row, such as its number.
        number: the column that counts them from 1; empty where none does.
    """

    table: TableSpec
    parent: Mapping[str, str]
    number: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one call of a contract does in the database.

    Attributes:
        verb: what it does.
        table: where.
        key: the columns that name the row to write.
        order: the columns by which rows are read, the last of them different in each row.
        lines: rows that are inserted together with the row, by the field that holds their list.
    """

    verb: Verb
    table: TableSpec
    key: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    lines: Mapping[str, Lines] = field(default_factory=dict)

    def sent(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapped record with each value in the form that its column keeps.

        Raises:
            MappingError: a column can't hold its value.
        """
        row: dict[str, Any] = {}
        for name, value in body.items():
            if name in self.lines:
                columns = self.lines[name].table.columns
                row[name] = [{inner: columns[inner].sent(each) for inner, each in line.items()} for line in value]
            elif name in self.table.columns:
                row[name] = self.table.columns[name].sent(value)
            else:
                raise MappingError(f"table {self.table.name} has no column {name!r}", code=Reason.FIELD_UNKNOWN)
        return row


@dataclass(frozen=True, slots=True)
class Changes:
    """How a listing is read for what has changed.

    Attributes:
        by: the column that says when a row was written.
        overlap: seconds for which a row may be committed later than that column says.
    """

    by: str
    overlap: float


@dataclass(frozen=True, slots=True)
class DatabaseSpec:
    """What a contract says of a database.

    Attributes:
        schema: where the tables are; empty for the one that a session finds by itself.
        writes: whether anything may be written.
        tables: by name.
        statements: by the path that stands for their call.
        changes: by operation.
    """

    schema: str
    writes: bool
    tables: Mapping[str, TableSpec]
    statements: Mapping[str, Statement]
    changes: Mapping[str, Changes]


def compared(parameter: str) -> tuple[str, str]:
    """Return the column and the comparison that a parameter such as ``ENTRY_DATE >=`` names."""
    column, _, comparison = parameter.partition(" ")
    return column, comparison.strip() or "="
