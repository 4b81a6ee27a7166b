"""Numbered documents of one kind in a system's database, such as its invoices: create, look up, read, change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from sqlite3 import Row
from typing import Any

import orjson

from sandbox.paging import Page, listing
from sandbox.problems import not_found
from sandbox.store import Database
from sandbox.times import now

_FIND = "SELECT * FROM {table} WHERE external_id IN (SELECT value FROM json_each(?)) ORDER BY number"
_COLUMNS = frozenset({"external_id", "status"})


class Register:
    """One kind of document. A second one with the same ``external_id`` is taken, so that a double shows.

    Args:
        store: the system's database, which has a table made by :func:`table`.
        name: of the table.
        prefix: of the documents' ids, such as ``INV``.
        label: the word for a document in messages.
        shape: turns a document into the form that the API shows.
    """

    def __init__(
        self,
        store: Database,
        name: str,
        prefix: str,
        label: str,
        shape: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        self.store = store
        self.name = name
        self.prefix = prefix
        self.label = label
        self.shape = shape

    def identity(self, number: int) -> str:
        """Return the id of a document."""
        return f"{self.prefix}-{number:06d}"

    def add(self, external_id: str, body: Mapping[str, Any], status: str = "") -> str:
        """Keep a document and return its id."""
        sql = f"INSERT INTO {self.name} (external_id, status, body, created_at) VALUES (?,?,?,?) RETURNING number"  # noqa: S608
        values = (external_id, status, orjson.dumps(body).decode(), now())
        return self.identity(int(self.store.value(sql, values)))

    def view(self, row: Row) -> dict[str, Any]:
        """Return a document as the API shows it."""
        known = {"id": self.identity(row["number"]), "external_id": row["external_id"], "status": row["status"]}
        return self.shape({**known, **orjson.loads(row["body"]), "created_at": row["created_at"]})

    def get(self, identity: str) -> dict[str, Any]:
        """Return a document.

        Raises:
            HttpProblem: there is none.
        """
        return self.view(self._row(identity))

    def _row(self, identity: str) -> Row:
        head, _, digits = identity.partition("-")
        sql = f"SELECT * FROM {self.name} WHERE number = ?"  # noqa: S608
        row = self.store.row(sql, (int(digits),)) if head == self.prefix and digits.isdigit() else None
        if row is None:
            raise not_found(self.label, identity)
        return row

    def find(self, external_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the documents with these business keys, oldest first."""
        rows = self.store.rows(_FIND.format(table=self.name), (orjson.dumps(list(external_ids)).decode(),))
        return [self.view(row) for row in rows]

    def change(self, identity: str, fields: Mapping[str, Any], status: str | None = None) -> dict[str, Any]:
        """Change some fields of a document, or its status, and return it."""
        row = self._row(identity)
        sql = f"UPDATE {self.name} SET body = ?, status = ? WHERE number = ?"  # noqa: S608
        body = orjson.dumps({**orjson.loads(row["body"]), **fields}).decode()
        self.store.execute(sql, (body, row["status"] if status is None else status, row["number"]))
        return self.get(identity)

    def listing(self, query: Page, **fields: str) -> dict[str, Any]:
        """Return one page of the documents that have the values of a query, and these values of further fields."""
        criteria = query.model_dump(exclude=set(Page.model_fields))
        return self._page(query, {**criteria, **fields})

    def having(self, **fields: str) -> list[dict[str, Any]]:
        """Return all documents that have these values, oldest first."""
        return list(self._page(Page.model_construct(page=1, limit=sys.maxsize), fields)["data"])

    def _page(self, page: Page, criteria: Mapping[str, str | None]) -> dict[str, Any]:
        conditions = []
        for name, value in criteria.items():
            column = name if name in _COLUMNS else f"json_extract(body, '$.{name}')"
            conditions.append((f"{column} = ?", value))
        return listing(self.store, "*", self.name, conditions, page, self.view)


def table(name: str) -> str:
    """Return the SQL that makes a register's table."""
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (number INTEGER PRIMARY KEY, external_id TEXT NOT NULL,"
        " status TEXT NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL);\n"
        f"CREATE INDEX IF NOT EXISTS {name}_key ON {name} (external_id);\n"
    )
