"""The connection to the database: one writer at a time, durable, and in words when it fails."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from pv_testing.core.errors import ConfigError, LedgerError
from pv_testing.ledger import postgresql, sqlite
from pv_testing.ledger.failures import place, understood
from pv_testing.ledger.postgresql import CONNECT_SECONDS
from pv_testing.ledger.watch import ServerWatch

log = logging.getLogger(__name__)

BUSY_SECONDS = 30
HANGING_SECONDS = 120
_ALIASES = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite3": "sqlite"}
_NO_ADDRESS = (
    "the ledger's address is no database URL, such as sqlite:////srv/pv/ledger.sqlite or "
    "postgresql://pv@db.company.com:5432/pv_ledger: check port and query, which take whole numbers, and write special "
    "characters of a password as %XX"
)
_STOOD_STILL = (
    f"this process stood still for more than {BUSY_SECONDS} s while it held the write lock, and kept all others waiting"
)


class Writing(NamedTuple):
    """A transaction that holds the ledger's write lock.

    Attributes:
        connection: where to write.
        now: epoch seconds on the ledger's clock, taken after the lock.
    """

    connection: Connection
    now: float


class Store:
    """One database that holds a ledger.

    Args:
        url: SQLAlchemy's form; ``sqlite://`` is in memory, ``postgres://`` and ``postgresql://`` mean psycopg 3.
    """

    def __init__(self, url: str) -> None:
        self.url = parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.memory = self.sqlite and self.url.database in (None, "", ":memory:")
        self._read_options = {} if self.sqlite else {"isolation_level": "REPEATABLE READ"}
        self._turn = threading.RLock()
        self._process = os.getpid()
        self.engine = self._engine()

    def _engine(self) -> Engine:
        with _sound():
            options: dict[str, Any] = {"connect_args": self._connect_arguments()}
        if self.memory:
            options["poolclass"] = StaticPool
        else:
            options.update(max_overflow=64, pool_use_lifo=True)
        with understood(self.url), _sound():
            engine = create_engine(self.url, hide_parameters=True, **options)
        if self.sqlite:
            event.listen(engine, "connect", sqlite.prepare)
            event.listen(engine, "begin", partial(sqlite.begin, options["connect_args"]["timeout"]))
        else:
            event.listen(engine, "checkout", partial(_ping, engine.dialect))
            event.listen(engine, "before_cursor_execute", _ask)
            event.listen(engine, "commit", _ask)
        return engine

    def _connect_arguments(self) -> dict[str, Any]:
        """Return what the driver is told; the URL's query may say otherwise."""
        if self.sqlite:
            return {"timeout": float(str(self.url.query.get("timeout", BUSY_SECONDS))), "check_same_thread": False}
        return postgresql.arguments(self.url.query)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection whose statements see one state of the ledger."""
        self._notice_fork()
        with self._turn if self.memory else nullcontext(), self._transaction(self._read_options) as connection:
            yield connection

    @contextmanager
    def studying(self) -> Iterator[Connection]:
        """Give what :meth:`reading` does, to a reader who may think for minutes between two statements."""
        with self.reading() as connection:
            if not self.sqlite:
                postgresql.allow_pauses(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Give a transaction that no other writer overlaps; it is on the disk when the block has ended."""
        with self.exclusive() as connection:
            now = time.time() if self.sqlite else postgresql.take_turn(connection)
            yield Writing(connection, now)
            if self.sqlite and time.time() - now > BUSY_SECONDS:
                raise LedgerError(f"the ledger at {place(self.url)} can't be used: {_STOOD_STILL}; nothing is written")

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Give a transaction; on SQLite it holds the database's write lock from its start.

        The writers of one process take turns, however long that lasts. The database would let them wait for its lock
        for a while only, and not in line, so that a slow commit of one could starve another.
        """
        self._notice_fork()
        with self._turn, self._transaction({"writing": True}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, options: Mapping[str, Any]) -> Iterator[Connection]:
        with understood(self.url), self.engine.connect() as connection:
            connection.execution_options(**options)
            with nullcontext() if self.sqlite else _watched(connection), connection.begin():
                if not self.sqlite:
                    postgresql.refuse_unsafe(connection, self.url)
                yield connection

    def clock(self, connection: Connection) -> float:
        """Return epoch seconds: the server's on PostgreSQL, this machine's on SQLite."""
        if self.sqlite:
            return time.time()
        return postgresql.clock(connection)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _notice_fork(self) -> None:
        """Connections don't survive a fork: a child opens its own and leaves the parent's alone."""
        if os.getpid() != self._process and not self.memory:
            self._process = os.getpid()
            self._turn = threading.RLock()
            self.engine.dispose(close=False)


@contextmanager
def _sound() -> Iterator[None]:
    """Say of an address that SQLAlchemy or the driver can't read that it is the address; it may hold a password."""
    try:
        yield
    except (ArgumentError, ValueError, TypeError):
        raise ConfigError(_NO_ADDRESS) from None


def parse(url: str) -> URL:
    """Return the URL with the driver that the ledger uses.

    Raises:
        ConfigError: it is no URL of an SQLite or PostgreSQL database.
    """
    with _sound():
        parsed = make_url(url)
    parsed = parsed.set(drivername=_ALIASES.get(parsed.drivername, parsed.drivername))
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise ConfigError(f"the ledger can't be kept in {parsed.drivername}: use sqlite or postgresql")
    return parsed


def _ping(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Have a connection of the pool replaced when its server doesn't answer on it, or not in time."""
    if record.info.setdefault("used", False):
        try:
            with ServerWatch(connection, CONNECT_SECONDS):
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None
    record.info["used"] = True


@contextmanager
def _watched(connection: Connection) -> Iterator[None]:
    """See to it that each request of a transaction is answered, or fails after a while."""
    link: Any = connection.connection.dbapi_connection
    watch = connection.info["watch"] = ServerWatch(link, HANGING_SECONDS)
    try:
        with watch:
            yield
    except SQLAlchemyError:
        if watch.cut:
            raise TimeoutError(f"no answer for {HANGING_SECONDS:g} s, therefore the connection was cut") from None
        raise


def _ask(connection: Connection, *_: object) -> None:
    watch = connection.info.get("watch")
    if watch is not None:
        watch.ask()


@cache
def warn_of_volatile() -> None:
    """Say once a process what a ledger in memory means."""
    log.warning(
        "a ledger in memory forgets every record when it is closed: the same records, sent again by another process, "
        "are there twice; without ledger= clients keep them in the configured ledger"
    )
