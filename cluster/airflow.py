"""Starts what ``compose.yaml`` describes on one machine: PostgreSQL, Redis, the sandbox and Airflow's components."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg

from cluster import certificates, compose, secrets, servers
from cluster.compose import PROJECT, Places, Service
from cluster.nodes import Node, Nodes
from cluster.patient import PatientApi
from cluster.service import SERVICES, here
from demo import laboratory
from demo.processes import Components, DemoError, free_port
from sandbox import Lab

FIRST_PORT = 18080
START_SECONDS = 600.0
HEALTH_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """All that runs.

    Attributes:
        lab: the sandbox.
        api: Airflow's API, called by the administrator.
        quality: the same, called by the quality manager.
        nodes: the processes, which may be killed.
        ledger: the SQLAlchemy address of the ledger.
        broker: the address of Redis.
        database: the address of Airflow's database, for libpq.
        files: the folder in which the LIMS's certificates are filed.
    """

    lab: Lab
    api: PatientApi
    quality: PatientApi
    nodes: Nodes
    ledger: str
    broker: str
    database: str
    files: Path


def start(home: Path, variables: Mapping[str, str], stack: ExitStack) -> Cluster:
    """Start everything in an empty folder.

    Args:
        home: the folder; what an earlier run left in it is removed.
        variables: stand for ``${NAME}`` in ``compose.yaml``.
        stack: stops everything.

    Raises:
        DemoError: something is missing, or isn't there in time.
    """
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    described = compose.services(variables)
    postgres, redis, api, *of_sandbox = _ports(3 + len(secrets.SANDBOX_PORTS))
    systems = dict(zip(secrets.SANDBOX_PORTS, of_sandbox, strict=True))
    addresses = secrets.Addresses(
        postgres=f"127.0.0.1:{postgres}",
        redis=f"127.0.0.1:{redis}",
        sandbox={system: f"http://127.0.0.1:{port}" for system, port in systems.items()},
    )
    places = Places(home / "airflow", home / "secrets", f"127.0.0.1:{api}")
    places.home.mkdir()
    secrets.write(places.secrets, addresses)
    certificates.keep_files(places.secrets / "connections.json", home / "files")
    nodes, components = Nodes(home / "logs"), stack.enter_context(Components(home / "logs"))
    data = _server_data(stack)
    stack.enter_context(nodes)
    servers.start_postgres(nodes, data, postgres, _secret(places, "postgres_password"))
    servers.start_redis(nodes, places.secrets / "redis.conf", redis, _secret(places, "redis_password"))
    lab = _sandbox(home / "sandbox", described["sandbox"], systems, places, components)
    root = f"postgresql://airflow:{_secret(places, 'postgres_password')}@{addresses.postgres}"
    broker = _secret(places, "broker_url")
    wait_for("PostgreSQL", lambda: servers.postgres_answers(f"{root}/postgres"), nodes)
    wait_for("Redis", lambda: servers.redis_answers(broker), nodes)
    with psycopg.connect(f"{root}/postgres", autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {addresses.metadata}")
        administrator.execute(f"CREATE DATABASE {addresses.ledger}")
    cluster = Cluster(
        lab=lab,
        api=PatientApi(f"http://{places.api}", _secret(places, "users.json")),
        quality=PatientApi(f"http://{places.api}", _secret(places, "users.json"), "quality"),
        nodes=nodes,
        ledger=f"{root}/{addresses.ledger}".replace("postgresql:", "postgresql+psycopg:"),
        broker=broker,
        database=f"{root}/{addresses.metadata}",
        files=home / "files",
    )
    _start_airflow(cluster, described, places, variables)
    return cluster


def _start_airflow(
    cluster: Cluster, described: Mapping[str, Service], places: Places, variables: Mapping[str, str]
) -> None:
    log = cluster.nodes.logs / "migrate.log"
    _migrate(here(described["migrate"], places, 0), log)
    local = variables.get("EXECUTOR") == "LocalExecutor"
    checks: list[tuple[Node, Service]] = []
    for name in SERVICES:
        if local and name == "worker":
            continue
        for number in range(1, (1 if local else described[name].replicas) + 1):
            service = here(described[name], places, number)
            node = cluster.nodes.add(f"{name}-{number}", service.command, service.environment, PROJECT)
            checks.append((node, service))
    wait_for("Airflow", cluster.api.healthy, cluster.nodes)
    cluster.api.log_in()
    cluster.quality.log_in()
    for node, service in checks:
        wait_for(f"The health check of {node.name}", partial(_healthy, service), cluster.nodes)


def _sandbox(data: Path, service: Service, ports: Mapping[str, int], places: Places, components: Components) -> Lab:
    data.mkdir()
    shutil.copy(places.secrets / "sandbox.json", data / "credentials.json")
    arguments = [part for part in service.command[3:] if not part.startswith("--data") and "-port=" not in part]
    return laboratory.start(
        data, components, *arguments, *(f"--{system}-port={port}" for system, port in ports.items())
    )


def _server_data(stack: ExitStack) -> Path:
    """Return a new folder for PostgreSQL's data, owned by the user that it runs as, and removed at the end."""
    parent = Path(tempfile.mkdtemp(prefix="pv-cluster-"))
    stack.callback(shutil.rmtree, parent, ignore_errors=True)
    data = parent / "data"
    data.mkdir(mode=0o700)
    if user := servers.unprivileged_user():
        shutil.chown(parent, user)
        shutil.chown(data, user)
    return data


def _ports(number: int) -> list[int]:
    ports: list[int] = []
    last = FIRST_PORT
    while len(ports) < number:
        last = free_port(last + 1)
        ports.append(last)
    return ports


def _secret(places: Places, name: str) -> str:
    return (places.secrets / name).read_text(encoding="utf-8")


def _migrate(service: Service, log: Path) -> None:
    with log.open("wb") as sink:
        ended = subprocess.run(  # noqa: S603 - the command is compose.yaml's
            service.command, env=service.environment, cwd=PROJECT, stdout=sink, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode:
        raise DemoError(f"Airflow's database could not be made; {log} says why.")


def _healthy(service: Service) -> bool | None:
    checked = subprocess.run(  # noqa: S603 - the command is compose.yaml's
        service.health, env=service.environment, cwd=PROJECT, capture_output=True, timeout=HEALTH_SECONDS, check=False
    )
    return checked.returncode == 0 or None


def wait_for(what: str, ready: Callable[[], T | None], nodes: Nodes, seconds: float = START_SECONDS) -> T:
    """Ask again and again until something is there.

    Args:
        what: in words for the message.
        ready: gives ``None`` as long as it isn't there.
        nodes: whose logs the message ends with.
        seconds: how long to wait at the most.

    Raises:
        DemoError: it isn't there in time.
    """
    deadline = time.monotonic() + seconds
    while (answer := ready()) is None:
        if time.monotonic() > deadline:
            raise DemoError("\n".join([f"{what} took longer than {seconds:.0f} s.", *nodes.last_words()]))
        time.sleep(0.5)
    return answer
