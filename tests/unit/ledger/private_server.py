"""A PostgreSQL server of a test's own, made from the machine's binaries, whose settings and death are the test's."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from typing_extensions import Self

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "shared_buffers": "'32MB'",
    "wal_buffers": "'16MB'",
    "max_wal_senders": "0",
    "logging_collector": "off",
}


class Server:
    """One server; a context manager.

    Args:
        settings: of ``postgresql.conf``.
    """

    def __init__(self, **settings: str) -> None:
        self._bin = binaries()
        self._home = Path(tempfile.mkdtemp(prefix="pv-postgresql-", dir="/tmp"))
        self._user = "postgres" if os.geteuid() == 0 else ""
        if self._user:
            shutil.chown(self._home, self._user, self._user)
        self._data = self._home / "data"
        self.port = free_port()
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        own = {**SETTINGS, "port": str(self.port), "unix_socket_directories": f"'{self._home}'", **settings}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in own.items())

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._home, ignore_errors=True)

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", str(self._home / "log"), "start")

    def crash(self) -> None:
        """End it at once, as a loss of power does with what is in its memory."""
        pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGQUIT)
        while (self._data / "postmaster.pid").exists():
            time.sleep(0.02)

    def delay_log(self) -> None:
        """Stop the process that writes the log behind those that don't wait for it, as a busy disk does.

        It is stopped while it sleeps: one that is stopped in the midst of writing keeps a lock, and all would wait.
        """
        log_writer = "SELECT pid, wait_event FROM pg_stat_activity WHERE backend_type = 'walwriter'"
        with psycopg.connect(self.url, autocommit=True) as connection:
            for _ in range(100):
                pid, _ = connection.execute(log_writer).fetchone()
                os.kill(pid, signal.SIGSTOP)
                if connection.execute(log_writer).fetchone()[1] == "WalWriterMain":
                    return
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.05)
        raise RuntimeError("the log writer never sleeps")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if self._user:
            command = ["runuser", "-u", self._user, "--", *command]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)


def binaries() -> Path:
    """Return the folder of the newest server's programs; the test is skipped where there is none."""
    folder = next((folder for folder in FOLDERS if (folder / "initdb").exists()), None)
    if folder is None:
        pytest.skip("no PostgreSQL server's programs below /usr/lib/postgresql; the package postgresql has them")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL doesn't run as root, and there is no runuser")
    return folder


def free_port() -> int:
    """Return a free port below those that the system gives to connections, so that none takes it before the server."""
    for port in random.sample(range(15_000, 32_000), 50):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port between 15000 and 32000 is free")
