"""Reads and writes rows within a transaction that somebody else commits, and says what came of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import exc

from pv_testing.contracts.database import LIMIT, NEXT, ROWS, STATUS, Lines, Statement
from pv_testing.core.errors import SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.transports.sql_errors import BUSY, IN_THE_WAY, failure_of, is_lost, is_wrong
from pv_testing.transports.sql_statements import MOST_ROWS, Tables, bound, read, shown, take_turn

NOT_FOUND, KEY_EXISTS = 404, 500
FETCHED = 200
MOST_LINES = 10_000
Answer = dict[str, Any]


class RefusedRow(Exception):
    """A row that isn't written, so that its transaction is rolled back.

    Args:
        status: in the words of HTTP.
        code: the reason code.
        message: the reason in words.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)

    def body(self) -> Answer:
        """Return it as an answer has it."""
        return {"error": {"code": self.code, "message": str(self)}}


class Rows:
    """The rows of one database.

    Args:
        tables: of the contract.
        most_bytes: the greatest size of an answer.
        seconds: that a lock is waited for.
    """

    def __init__(self, tables: Tables, most_bytes: int, seconds: int) -> None:
        self._tables = tables
        self._most_bytes = most_bytes
        self._seconds = seconds

    def read(self, connection: sa.Connection, statement: Statement, asked: Mapping[str, str], body: Any) -> Answer:
        """Return the rows that a query or a list of keys asks for.

        Args:
            connection: a transaction.
            statement: which table.
            asked: as for :meth:`Tables.select`.
            body: the keys of a look-up of many, in a list or in the only field.

        Raises:
            SecurityError: the rows are larger than an answer may be.
        """
        keys = next(iter(body.values()), []) if isinstance(body, Mapping) else body
        if keys:
            named = [key if isinstance(key, Mapping) else {statement.key[0]: key} for key in keys]
            query = self._tables.of_keys(statement, named)
        else:
            query = self._tables.select(statement, asked)
        rows = self._fetched(connection, query, statement)
        limit = int(asked.get(LIMIT, 0))
        if not limit or len(rows) <= limit:
            return {ROWS: rows, NEXT: ""}
        last = rows[limit - 1]
        return {ROWS: rows[:limit], NEXT: orjson.dumps([last[name] for name in statement.order]).decode()}

    def _fetched(self, connection: sa.Connection, query: sa.Select[Any], statement: Statement) -> list[Answer]:
        rows: list[Answer] = []
        size = 0
        for part in connection.execute(query).mappings().partitions(FETCHED):
            for row in part:
                rows.append(read(statement.table, row))
                size += len(orjson.dumps(rows[-1]))
            if size > self._most_bytes or len(rows) > 2 * MOST_ROWS:
                limit = f"the rows are larger than {self._most_bytes:,} bytes"
                message = f"{limit}; ask for smaller pages or raise limits.response_bytes"
                raise SecurityError(message, code=Reason.RESPONSE_TOO_LARGE)
        return rows

    def write(self, connection: sa.Connection, statement: Statement, body: Mapping[str, Any]) -> Answer:
        """Write one row, or the rows of a list, each of which stands and falls by itself.

        Args:
            connection: a transaction.
            statement: what to do.
            body: a row by column, or ``rows`` with a list of them.

        Returns:
            The row as it is then; of a list, the rows with their statuses.

        Raises:
            RefusedRow: the only row isn't written.
            DBAPIError: the database refuses it, or nothing of the transaction can stand.
        """
        rows = body.get(ROWS) if ROWS in body and ROWS not in statement.table.columns else None
        keys = [[row.get(name) for name in statement.key] for row in (rows or [body])]
        if not take_turn(connection, statement.table, keys, self._seconds):
            raise RefusedRow(BUSY, Reason.LOCKED, "another transaction writes the same record; nothing was done")
        if rows is None:
            return self._one(connection, statement, body)
        return {ROWS: [self._of_many(connection, statement, row) for row in rows]}

    def _of_many(self, connection: sa.Connection, statement: Statement, row: Mapping[str, Any]) -> Answer:
        try:
            with connection.begin_nested():
                return {**self._one(connection, statement, row), STATUS: 200}
        except RefusedRow as refused:
            return {**refused.body(), STATUS: refused.status}
        except exc.DBAPIError as error:
            failure = failure_of(error)
            if is_lost(error) or is_wrong(error) or failure.status == BUSY:
                raise
            return {**failure.body(), STATUS: failure.status}

    def _one(self, connection: sa.Connection, statement: Statement, row: Mapping[str, Any]) -> Answer:
        table = self._tables.of(statement.table)
        same = self._tables.same_key(statement, row)
        number = len(connection.execute(sa.select(table).where(same).limit(2)).all())
        self._refuse(statement, row, number)
        if number:
            connection.execute(sa.update(table).where(same).values(bound(statement.table, row)))
            return self._again(connection, statement, same)
        self._insert(connection, statement, row, same)
        there = self._again(connection, statement, same)
        for name, lines in statement.lines.items():
            self._insert_lines(connection, lines, there, row.get(name) or ())
        return there

    def _refuse(self, statement: Statement, row: Mapping[str, Any], number: int) -> None:
        where = f"{statement.table.name} with {shown(statement.key, row)}"
        if number > 1:
            raise RefusedRow(
                IN_THE_WAY,
                Reason.KEY_TWICE,
                f"there are several rows of {where}; none was changed: remove what is wrong",
            )
        if number and statement.verb == "insert":
            raise RefusedRow(KEY_EXISTS, Reason.KEY_EXISTS, f"there is a row of {where} already; none was inserted")
        if not number and statement.verb == "update":
            raise RefusedRow(NOT_FOUND, Reason.NOT_FOUND, f"there is no row of {where}")

    def _insert(self, connection: sa.Connection, statement: Statement, row: Mapping[str, Any], same: Any) -> None:
        """Insert a row; where a constraint is in the way, say whether somebody has just inserted one with its key."""
        table = self._tables.of(statement.table)
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(table).values(bound(statement.table, row)))
        except exc.IntegrityError:
            if connection.execute(sa.select(table).where(same).limit(1)).first() is not None:
                self._refuse(statement, row, 1)
            raise

    def _insert_lines(
        self, connection: sa.Connection, lines: Lines, parent: Answer, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        if len(rows) > MOST_LINES:
            raise RefusedRow(413, Reason.TOO_MANY_LINES, f"{len(rows):,} lines are more than {MOST_LINES:,}")
        given = {column: parent[source] for column, source in lines.parent.items()}
        values = [
            bound(lines.table, {**row, **given, **({lines.number: place} if lines.number else {})})
            for place, row in enumerate(rows, 1)
        ]
        # Rows of one statement must have the same columns.
        names = sorted({name for row in values for name in row})
        if values:
            connection.execute(
                sa.insert(self._tables.of(lines.table)), [{name: row.get(name) for name in names} for row in values]
            )

    def _again(self, connection: sa.Connection, statement: Statement, same: Any) -> Answer:
        """Return a row as it is now, with what the database and its triggers have added."""
        table = self._tables.of(statement.table)
        row = connection.execute(sa.select(table).where(same).limit(1)).mappings().first()
        return {} if row is None else read(statement.table, row)
