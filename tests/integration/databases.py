"""Databases of a LIMS to test on: an SQLite file, and databases on PostgreSQL and MariaDB where these answer."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy.engine import make_url

from pv_testing.core.places import contract_path
from pv_testing.integrations import LIMSClient
from sandbox.lims_database import LimsDatabase
from tests.conftest import SERVER

MARIADB = os.environ.get("PV_TEST_MARIADB", "mariadb://root@127.0.0.1:3306")
BRIEF = (
    ("attempt_timeout: 20", "attempt_timeout: 2"),
    ("total_timeout: 60", "total_timeout: 4"),
    ("horizon: 1 ", "horizon: 0.05 "),
)
_COMMIT = re.compile(rb"COMMIT(?!TED)")  # and not an isolation level
_numbers = count(1)


@dataclass
class Place:
    """Where a LIMS's database is, and who asks.

    Attributes:
        base_url: as the configuration says it.
        admin: SQLAlchemy's form, with the user.
        login: what the client is given besides.
        port: of the server; 0 for a file.
    """

    base_url: str
    admin: str
    login: dict[str, str] = field(default_factory=lambda: {"auth_type": "none"})
    port: int = 0

    def through(self, port: int) -> str:
        """Return the address through a proxy on this machine."""
        return self.base_url.replace(f":{self.port}/", f":{port}/")

    def client(self, contract: Path, ledger: Any, base_url: str = "", **other: Any) -> LIMSClient:
        """Return a client."""
        return LIMSClient(base_url or self.base_url, contract=str(contract), ledger=ledger, **self.login, **other)


def brief_contract(folder: Path, *changes: tuple[str, str]) -> Path:
    """Return the shipped contract, whose leases end soon."""
    text = contract_path("lims_sql").read_text(encoding="utf-8")
    for long, short in (*BRIEF, *changes):
        assert long in text
        text = text.replace(long, short)
    path = folder / "lims_brief.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """Give a database with the tables of the LIMS."""
    kinds = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}
    with kinds[kind](folder) as found, LimsDatabase(found.admin):
        yield found


@contextmanager
def _sqlite(folder: Path) -> Iterator[Place]:
    url = f"sqlite:///{folder / 'lims.sqlite'}"
    yield Place(url, url)


@contextmanager
def _postgresql(_: Path) -> Iterator[Place]:
    name = f"pv_lims_test_{os.getpid()}_{next(_numbers)}"
    try:
        link = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server answers; PV_TEST_POSTGRESQL can name one")
    with link:
        link.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        server = make_url(SERVER)
        port = server.port or 5432
        login = {"auth_type": "none", "username": server.username or ""}
        admin = server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
        yield Place(f"postgresql://{server.host}:{port}/{name}", admin, login, port)
        link.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _mariadb(_: Path) -> Iterator[Place]:
    name = f"pv_lims_test_{os.getpid()}_{next(_numbers)}"
    server = make_url(MARIADB)
    try:
        link = pymysql.connect(host=server.host, port=server.port, user=server.username, connect_timeout=3)
    except pymysql.err.OperationalError:
        pytest.skip("no MariaDB server answers; PV_TEST_MARIADB can name one")
    with link.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        login = {"auth_type": "none", "username": server.username}
        base = f"mariadb://{server.host}:{server.port}/{name}"
        yield Place(base, base.replace("mariadb://", f"mariadb+pymysql://{server.username}@"), login, server.port)
        cursor.execute(f"DROP DATABASE {name}")
    link.close()


class CuttingProxy:
    """Passes bytes on to a database server, and cuts the connection at a COMMIT when it is told to.

    Attributes:
        plan: what happens to the next commits of transactions with an insert: ``before`` loses the request,
            ``after`` the answer, ``ok`` nothing.
        cuts: how many connections were cut.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.plan: list[str] = []
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                link = _Link(self, client, server)
                threading.Thread(target=link.up, daemon=True).start()
                threading.Thread(target=link.down, daemon=True).start()


class _Link:
    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.deaf = self.writes = False

    def up(self) -> None:
        """Pass on what the client sends."""
        with suppress(OSError):
            while data := self.client.recv(65536):
                fate = self._fate(data)
                if fate == "before":
                    self._cut()
                    return
                self.deaf = fate == "after"
                self.server.sendall(data)
        self._close()

    def down(self) -> None:
        """Pass on what the server answers."""
        with suppress(OSError):
            while data := self.server.recv(65536):
                if self.deaf:
                    self._cut()
                    return
                self.client.sendall(data)
        self._close()

    def _fate(self, data: bytes) -> str:
        self.writes |= b"INSERT" in data
        if not (self.writes and _COMMIT.search(data)):
            return "ok"
        self.writes = False
        return self.proxy.plan.pop(0) if self.proxy.plan else "ok"

    def _cut(self) -> None:
        self.proxy.cuts += 1
        self._close()

    def _close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
