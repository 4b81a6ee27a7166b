"""The database of a LIMS with the tables of LabWare.

It takes doubles, as transfer tables do, and writes results itself. It shares no code with the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles

if TYPE_CHECKING:
    from typing_extensions import Self


class _Now(sa.sql.functions.FunctionElement[Any]):
    """The database's time in UTC, to the microsecond where it can."""

    inherit_cache = True
    type = sa.DateTime()


@compiles(_Now)
def _now(*_: Any, **__: Any) -> str:
    return "CURRENT_TIMESTAMP"


@compiles(_Now, "postgresql")
def _now_postgresql(*_: Any, **__: Any) -> str:
    return "(clock_timestamp() AT TIME ZONE 'UTC')"


@compiles(_Now, "mysql")
@compiles(_Now, "mariadb")
def _now_mariadb(*_: Any, **__: Any) -> str:
    return "CURRENT_TIMESTAMP(6)"


metadata = sa.MetaData()
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
SAMPLE = sa.Table(
    "SAMPLE",
    metadata,
    sa.Column("SAMPLE_NUMBER", _number, primary_key=True, autoincrement=True),
    sa.Column("TEXT_ID", sa.String(40), nullable=False),
    sa.Column("PROJECT", sa.String(40), nullable=False),
    sa.Column("SAMPLE_TYPE", sa.String(40)),
    sa.Column("CUSTOMER", sa.String(80), nullable=False),
    sa.Column("MODEL", sa.String(80)),
    sa.Column("POWER_RATING", sa.Numeric(12, 3)),
    sa.Column("STATUS", sa.CHAR(1), nullable=False),
    sa.Column("COMMENT", sa.String(200)),
)
TEST = sa.Table(
    "TEST",
    metadata,
    sa.Column("TEST_NUMBER", _number, primary_key=True, autoincrement=True),
    sa.Column("SAMPLE_NUMBER", _number, sa.ForeignKey(SAMPLE.c.SAMPLE_NUMBER), nullable=False),
    sa.Column("EXECUTION", sa.String(40), nullable=False),
    sa.Column("REVISION", sa.Integer, nullable=False),
    sa.Column("ANALYSIS", sa.String(40)),
    sa.Column("COMPLETED_ON", sa.DateTime),
    sa.Column("OPERATOR", sa.String(80)),
    sa.Column("STATUS", sa.CHAR(1), nullable=False),
)
RESULT = sa.Table(
    "RESULT",
    metadata,
    sa.Column("RESULT_NUMBER", _number, primary_key=True, autoincrement=True),
    sa.Column("TEST_NUMBER", _number, sa.ForeignKey(TEST.c.TEST_NUMBER), nullable=False),
    sa.Column("LINE", sa.Integer),
    sa.Column("NAME", sa.String(40), nullable=False),
    sa.Column("FORMATTED_RESULT", sa.String(80)),
    sa.Column("UNITS", sa.String(20)),
    sa.Column("UNCERTAINTY", sa.String(40)),
    sa.Column("VERDICT", sa.CHAR(1)),
    sa.Column("ENTRY_DATE", _moment, nullable=False, server_default=_Now()),
)


def now() -> datetime:
    """Return the time in UTC, as columns without zone have it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class LimsDatabase:
    """A LIMS in a database; a context manager.

    Args:
        url: SQLAlchemy's form, with user and password.
        schema: where PostgreSQL looks for tables; the tables are created there.
    """

    def __init__(self, url: str, schema: str = "") -> None:
        options = {"options": f"-csearch_path={schema}"} if schema else {}
        self.engine = sa.create_engine(url, connect_args=options)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", lambda link, _: link.execute("PRAGMA journal_mode = WAL"))
        metadata.create_all(self.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Return all rows of a table, in the order of their numbers."""
        (number,) = table.primary_key
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).order_by(number)).mappings()]

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Insert a row, as a person or a program of the LIMS does, and return its number."""
        with self.engine.begin() as connection:
            (number,) = connection.execute(sa.insert(table).values(**values)).inserted_primary_key or (0,)
            return int(number)

    def receive(self) -> None:
        """Receive every sample that is awaited."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(SAMPLE).where(SAMPLE.c.STATUS == "U").values(STATUS="I"))

    @contextmanager
    def entering(self, *results: dict[str, Any], ago: float = 0.0) -> Iterator[None]:
        """Enter results in a transaction that is committed when the block ends, maybe long after their dates.

        Args:
            results: the rows, without their dates.
            ago: seconds by which the dates are in the past.
        """
        at = now() - timedelta(seconds=ago)
        with self.engine.begin() as connection:
            connection.execute(sa.insert(RESULT), [{**each, "ENTRY_DATE": at} for each in results])
            yield
