"""Connections to a database: driver, TLS, limits of time, and what each session is told before its first statement."""

from __future__ import annotations

import sqlite3
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from pv_testing.core.errors import ConfigError, SecurityError
from pv_testing.core.reasons import Reason
from pv_testing.transports.addresses import is_this_machine
from pv_testing.transports.settings import RestSettings

DRIVERS: Mapping[str, str] = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite+pysqlite",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}
"""The drivers, by the beginning of an address."""
GRACE = 5
"""Seconds that a server gets to say itself that a statement took too long."""
NO_ADDRESS = (
    "base_url is no address of a database; write it like postgresql://db.company.com:5432/lims, mariadb://… or "
    "sqlite:////srv/lims.sqlite"
)
_LOST = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class DatabaseLogin(NamedTuple):
    """Who asks.

    Attributes:
        username: empty where a certificate, the machine or the file itself says it.
        password: the same.
    """

    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Login({self.username!r}, '***')"


def address(base_url: str) -> URL:
    """Return the address of a database, with its driver.

    Raises:
        ConfigError: it is none, or no database that is known here.
        SecurityError: it carries credentials.
    """
    try:
        url = make_url(base_url)
    except (ArgumentError, ValueError):
        raise ConfigError(NO_ADDRESS) from None
    backend = url.drivername.partition("+")[0]
    if backend not in DRIVERS:
        raise ConfigError(f"{NO_ADDRESS}; {backend!r} is not among {', '.join(DRIVERS)}")
    if url.username is not None or url.password is not None:
        raise SecurityError("the address carries credentials; move them to username and password")
    return url.set(drivername=DRIVERS[backend])


def is_local(url: URL) -> bool:
    """Whether a database is on this machine, as a file or by an address of its own."""
    return url.drivername.startswith("sqlite") or not url.host or url.host.startswith("/") or is_this_machine(url.host)


def open_engine(settings: RestSettings, login: DatabaseLogin, *, writes: bool) -> Engine:
    """Return an engine; it connects when it is used.

    Args:
        settings: where the database is, certificates and limits of time.
        login: who asks.
        writes: whether its sessions may write.

    Raises:
        ConfigError: the address can't be used, or its driver isn't installed.
        SecurityError: the address carries credentials.
    """
    url = address(settings.base_url)
    dialect = _DIALECTS[url.get_backend_name()](url, settings, writes=writes)
    url = url.set(username=login.username or None, password=login.password or None)
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args=dialect.arguments,
            pool_pre_ping=True,
            pool_size=settings.concurrency,
            max_overflow=0,
            pool_timeout=settings.attempt_timeout,
            **dialect.options,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        name = url.drivername.partition("+")[2]
        message = f"the driver {name} isn't installed; add it to the image: pip install {name}"
        raise ConfigError(message, code=Reason.DRIVER_MISSING) from error
    event.listen(engine, "connect", dialect.prepare)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "begin", _begin)
    return engine


class Dialect:
    """What one kind of database needs.

    Attributes:
        arguments: of the driver's function that connects.
        options: of the engine.
    """

    arguments: dict[str, Any]
    options: dict[str, Any]

    def __init__(self, url: URL, settings: RestSettings, *, writes: bool) -> None:
        self.url, self.settings, self.writes = url, settings, writes
        self.arguments = self._arguments()
        self.options = {"isolation_level": "READ COMMITTED"}

    def _arguments(self) -> dict[str, Any]:
        return {}

    def prepare(self, connection: Any, _: object) -> None:
        """Tell a new session what it needs to know."""

    @property
    def verified(self) -> bool:
        """Whether the server must show a certificate that is verified."""
        return not is_local(self.url) and not self.settings.allow_http

    @property
    def seconds(self) -> int:
        """Seconds for one statement."""
        return max(1, round(self.settings.attempt_timeout))


class PostgreSql(Dialect):
    """PostgreSQL by psycopg 3, whose libpq verifies host names by the system's authorities or by ``ca_cert``."""

    def _arguments(self) -> dict[str, Any]:
        milliseconds = self.seconds * 1000
        told = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds + 1000 * GRACE,
            "TimeZone": "UTC",
            "synchronous_commit": "on",
            "default_transaction_read_only": "off" if self.writes else "on",
        }
        tls = self.settings.tls
        mode = "verify-full" if self.verified or tls.ca_cert else "prefer"
        files = {"sslcert": tls.client_cert, "sslkey": tls.client_key}
        root = {"sslrootcert": tls.ca_cert or "system"} if mode == "verify-full" else {}
        return {
            "connect_timeout": max(2, round(min(self.settings.connect_timeout, self.settings.attempt_timeout))),
            "options": " ".join(f"-c {name}={value}" for name, value in told.items()),
            "application_name": f"pv_testing {self.settings.system}".strip(),
            "sslmode": mode,
            **root,
            **{name: file for name, file in files.items() if file},
            **_LOST,
        }


class MariaDb(Dialect):
    """MariaDB and MySQL by PyMySQL."""

    def _arguments(self) -> dict[str, Any]:
        tls = self.settings.tls
        secured = {"ssl": tls.context()} if self.verified or tls.ca_cert or tls.client_cert else {"ssl_disabled": True}
        return {
            "connect_timeout": max(1, round(min(self.settings.connect_timeout, self.settings.attempt_timeout))),
            "read_timeout": self.seconds + GRACE,
            "write_timeout": self.seconds + GRACE,
            "charset": "utf8mb4",
            **secured,
        }

    def prepare(self, connection: Any, _: object) -> None:
        """Refuse a session without the TLS that was asked for; have the server refuse what it would cut."""
        if "ssl" in self.arguments and not isinstance(connection._sock, ssl.SSLSocket):  # noqa: SLF001 - no other way to see it
            connection.close()
            message = "the database server offers no TLS; switch it on there, or set allow_http if you must"
            raise SecurityError(message, code=Reason.NO_TLS)
        is_mariadb = "mariadb" in connection.get_server_info().lower()
        limit = "max_statement_time = %s" if is_mariadb else "max_execution_time = %s * 1000"
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {limit}, time_zone = '+00:00'", (self.seconds,))
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {self.seconds}, lock_wait_timeout = {self.seconds}")
            if not self.writes:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")


class Sqlite(Dialect):
    """An SQLite file, which must be there."""

    def __init__(self, url: URL, settings: RestSettings, *, writes: bool) -> None:
        super().__init__(url, settings, writes=writes)
        self.options = {}
        if not url.database or url.database == ":memory:" or not Path(url.database).is_file():
            raise ConfigError(f"there is no database file {url.database or ':memory:'}", code=Reason.NO_DATABASE)

    def _arguments(self) -> dict[str, Any]:
        return {"timeout": float(self.seconds), "check_same_thread": False}

    def prepare(self, connection: sqlite3.Connection, _: object) -> None:
        """Leave BEGIN to us; commits reach the disk."""
        connection.isolation_level = None
        pragmas = ["foreign_keys = ON", "synchronous = FULL", *([] if self.writes else ["query_only = ON"])]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")


class SqlServer(Dialect):
    """SQL Server by pyodbc; not tried against a server."""

    def _arguments(self) -> dict[str, Any]:
        trusted = {} if self.verified else {"TrustServerCertificate": "yes"}
        return {"timeout": self.seconds, "Encrypt": "yes", **trusted}


class Oracle(Dialect):
    """Oracle by python-oracledb; not tried against a server."""

    def _arguments(self) -> dict[str, Any]:
        connect = {"tcp_connect_timeout": self.settings.connect_timeout}
        return {**connect, "protocol": "tcps", "ssl_server_dn_match": True} if self.verified else connect

    def prepare(self, connection: Any, _: object) -> None:
        """Limit each call by the driver; the server has no limit of a session's own."""
        connection.call_timeout = self.seconds * 1000


_DIALECTS: Mapping[str, type[Dialect]] = {
    "postgresql": PostgreSql,
    "mariadb": MariaDb,
    "mysql": MariaDb,
    "sqlite": Sqlite,
    "mssql": SqlServer,
    "oracle": Oracle,
}


def _begin(connection: Any) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
