"""The statements of a contract in the words of a dialect: values are always bound, names quoted as they are."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement, quoted_name

from pv_testing.contracts.columns import Kind, TableColumn
from pv_testing.contracts.database import AFTER, LIMIT, DatabaseSpec, Statement, TableSpec, compared
from pv_testing.core.errors import ConfigError, MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

MOST_ROWS = 10_000
"""The most rows of a select that comes in no pages."""
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_WHO = {
    "postgresql": "SELECT current_user",
    "mysql": "SELECT CURRENT_USER()",
    "mssql": "SELECT SUSER_SNAME()",
    "oracle": "SELECT USER FROM DUAL",
}


class _Exact(sa.types.TypeDecorator[Any]):
    """A decimal number; SQLite, which has no such type, is given its digits."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.Numeric(38, asdecimal=True))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return str(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        del dialect
        return value


_TYPES: Mapping[Kind, Callable[[], sa.types.TypeEngine[Any]]] = {
    "text": sa.Unicode,
    "integer": sa.BigInteger,
    "decimal": _Exact,
    "number": sa.Double,
    "boolean": sa.Boolean,
    "date": sa.Date,
    "datetime": sa.DateTime,
    "instant": lambda: sa.DateTime(timezone=True),
}


class Tables:
    """The tables of a contract as SQLAlchemy has them.

    Args:
        database: what the contract says.
        dialect: whose limits of names count.

    Raises:
        ConfigError: a name is longer than the database takes.
    """

    def __init__(self, database: DatabaseSpec, dialect: sa.Dialect) -> None:
        self._schema = database.schema
        self._refuse_long(database, dialect)
        metadata = sa.MetaData(schema=quoted_name(database.schema, quote=True) if database.schema else None)
        self._tables = {name: _table(table, metadata) for name, table in database.tables.items()}

    def _refuse_long(self, database: DatabaseSpec, dialect: sa.Dialect) -> None:
        names = [self._schema, *(each for name, table in database.tables.items() for each in (name, *table.columns))]
        for name in names:
            if len(name) > dialect.max_identifier_length:
                limit = dialect.max_identifier_length
                raise ConfigError(f"the name {name[:80]!r} is longer than {dialect.name} takes, {limit} characters")

    def of(self, table: TableSpec) -> sa.Table:
        """Return a table."""
        return self._tables[table.name]

    def select(self, statement: Statement, asked: Mapping[str, str]) -> sa.Select[Any]:
        """Return what reads the rows that a query asks for, in their order.

        Args:
            statement: which table.
            asked: the query: a column with a comparison to the value, where to go on after, and how many at the most.

        Raises:
            MappingError: a value can't be one of its column.
        """
        table, columns = self.of(statement.table), statement.table.columns
        query = sa.select(table).order_by(*(table.c[name] for name in statement.order))
        for parameter, value in asked.items():
            if parameter not in {AFTER, LIMIT}:
                name, comparison = compared(parameter)
                query = query.where(_COMPARE[comparison](table.c[name], columns[name].bound(value)))
        if asked.get(AFTER):
            query = query.where(_after(table, statement, asked[AFTER]))
        return query.limit(int(asked.get(LIMIT, MOST_ROWS)) + 1)

    def of_keys(self, statement: Statement, keys: Sequence[Mapping[str, Any]]) -> sa.Select[Any]:
        """Return what reads the rows of several keys, each a value by column."""
        table, columns = self.of(statement.table), statement.table.columns
        named = [sa.and_(*(table.c[name] == columns[name].bound(value) for name, value in key.items())) for key in keys]
        order = [table.c[name] for name in statement.order]
        return sa.select(table).where(sa.or_(*named)).order_by(*order).limit(MOST_ROWS + 1)

    def same_key(self, statement: Statement, row: Mapping[str, Any]) -> ColumnElement[bool]:
        """Return the condition for the rows with the key of a row.

        Raises:
            MappingError: the row lacks a part of its key.
        """
        table, columns = self.of(statement.table), statement.table.columns
        missing = [name for name in statement.key if row.get(name) in (None, "")]
        if missing:
            raise MappingError(f"the record has no value for the key column {missing[0]}", code=Reason.FIELD_MISSING)
        return sa.and_(*(table.c[name] == columns[name].bound(row[name]) for name in statement.key))

    def probes(self) -> list[sa.Select[Any]]:
        """Return what shows that every table has its columns; each finds no row."""
        return [sa.select(table).where(sa.false()) for table in self._tables.values()]


def _table(table: TableSpec, metadata: sa.MetaData) -> sa.Table:
    columns = [_column(column) for column in table.columns.values()]
    return sa.Table(quoted_name(table.name, quote=True), metadata, *columns)


def _column(column: TableColumn) -> sa.Column[Any]:
    return sa.Column(quoted_name(column.name, quote=True), _TYPES[column.kind]())


def _after(table: sa.Table, statement: Statement, cursor: str) -> ColumnElement[bool]:
    """Return the condition for the rows behind one, without row values, which not every database compares."""
    import orjson

    values = orjson.loads(cursor)
    names = statement.order
    bound = [statement.table.columns[name].bound(value) for name, value in zip(names, values, strict=True)]
    alternatives = []
    for place, name in enumerate(names):
        before = [table.c[each] == value for each, value in zip(names[:place], bound[:place], strict=True)]
        alternatives.append(sa.and_(*before, table.c[name] > bound[place]))
    return sa.or_(*alternatives)


def read(table: TableSpec, row: sa.RowMapping) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: column.read(row[name]) for name, column in table.columns.items()}


def bound(table: TableSpec, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row as the driver takes them."""
    return {name: table.columns[name].bound(value) for name, value in row.items() if name in table.columns}


def who(dialect: str) -> str:
    """Return the statement that asks as whom the database knows the session; empty where it knows no user."""
    return _WHO.get("mysql" if dialect == "mariadb" else dialect, "")


def take_turn(connection: sa.Connection, table: TableSpec, keys: Sequence[Sequence[Any]], seconds: int) -> bool:
    """Let only one transaction at a time write a key, also where the table has no unique constraint.

    The lock ends with the transaction; on MariaDB with :func:`release_turn` or the session. SQLite has one writer at a
    time by itself; on Oracle only a unique constraint of the table does this.

    Returns:
        Whether the locks were had within the time.
    """
    for name in sorted({_lock_name(table, key) for key in keys}):
        if not _LOCKS.get(connection.dialect.name, _no_lock)(connection, name, seconds):
            return False
    return True


def release_turn(connection: sa.Connection) -> None:
    """Give up the locks of a session that don't end with its transaction."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        connection.exec_driver_sql("SELECT RELEASE_ALL_LOCKS()")


def _lock_name(table: TableSpec, key: Sequence[Any]) -> str:
    digest = hashlib.blake2b(repr([table.name, *map(str, key)]).encode(), digest_size=8)
    return digest.hexdigest()


def _no_lock(connection: sa.Connection, name: str, seconds: int) -> bool:
    del connection, name, seconds
    return True


def _lock_postgresql(connection: sa.Connection, name: str, seconds: int) -> bool:
    del seconds  # lock_timeout counts here, too
    number = int(name, 16) - 2**63
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.literal(number, sa.BigInteger))))
    return True


def _lock_mariadb(connection: sa.Connection, name: str, seconds: int) -> bool:
    return connection.scalar(sa.select(sa.func.get_lock(f"pv:{name}", seconds))) == 1


APPLOCK = """DECLARE @taken int;
EXEC @taken = sp_getapplock @Resource = :name, @LockMode = 'Exclusive', @LockTimeout = :milliseconds;
SELECT @taken"""


def _lock_mssql(connection: sa.Connection, name: str, seconds: int) -> bool:
    taken = connection.execute(sa.text(APPLOCK), {"name": f"pv:{name}", "milliseconds": 1000 * seconds})
    return int(taken.scalar() or 0) >= 0


_LOCKS: Mapping[str, Callable[[sa.Connection, str, int], bool]] = {
    "postgresql": _lock_postgresql,
    "mysql": _lock_mariadb,
    "mariadb": _lock_mariadb,
    "mssql": _lock_mssql,
}


def shown(names: Sequence[str], row: Mapping[str, Any]) -> str:
    """Return a key for messages."""
    return visible(", ".join(f"{name} = {row.get(name)!s:.60}" for name in names))
