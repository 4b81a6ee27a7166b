"""``python -m cluster.service NAME``: run one service of ``compose.yaml`` on this machine, without containers.

This process becomes the service, so that systemd or another supervisor sees and restarts it.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from cluster.compose import PROJECT, Places, Service, services
from demo.airflow import plain_environment

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
OWN_PORTS = (
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT",
)
"""The variables of ``compose.yaml`` that differ here, because all processes share one machine's ports."""
BIN = Path(sys.executable).parent


def here(service: Service, places: Places, number: int) -> Service:
    """Return a service of ``compose.yaml`` as one process of this machine.

    Args:
        service: as the file describes it.
        places: of the folders and hosts.
        number: which of its replicas, from 1; each has ports and a name of its own.
    """
    ports = _own_ports(places, number)
    environment = {name: places.translated(value) for name, value in service.environment.items()}
    environment |= {name: value for name, value in ports.items() if name in environment}
    command = [places.translated(part) for part in service.command]
    if service.name == "worker":
        command += ["--celery-hostname", f"{service.name}-{number}"]
    swapped = {
        "http://localhost:8080": f"http://{places.api}",
        "http://localhost:8974": f"http://localhost:{ports['AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT']}",
        "$(hostname)": f"{service.name}-{number}",
    }
    health = service.health
    for container, own in swapped.items():
        health = [part.replace(container, own) for part in health]
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return replace(
        service, command=command, health=health, environment={**plain_environment(), "PATH": path, **environment}
    )


def _own_ports(places: Places, number: int) -> dict[str, str]:
    host, _, port = places.api.partition(":")
    base = int(port) + 100 * number
    own = (host, port, f"http://{places.api}", *(str(base + offset) for offset in (1, 2, 3)))
    return dict(zip(OWN_PORTS, own, strict=True))


def settings(file: Path) -> dict[str, str]:
    """Return the variables of a file ``.env``, where there is one.

    Args:
        file: lines of the form ``NAME=value``; others are passed over.
    """
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    pairs = [line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


def main() -> None:
    """Become the service, or print its environment."""
    parser = argparse.ArgumentParser(prog="python -m cluster.service", description=__doc__)
    known = services(settings(PROJECT / ".env"))
    runnable = [name for name, service in known.items() if "AIRFLOW_HOME" in service.environment]
    parser.add_argument("name", choices=runnable, help="the service, or %(metavar)s", metavar=", ".join(runnable))
    parser.add_argument("--home", type=Path, required=True, help="Airflow's home: logs, and the users' passwords")
    parser.add_argument("--secrets", type=Path, required=True, help="the folder that cluster.secrets has written")
    parser.add_argument("--api", default="127.0.0.1:8080", help="host and port of the API server (127.0.0.1:8080)")
    parser.add_argument("--number", type=int, default=1, help="which of several on this machine, from 1")
    parser.add_argument("--print", action="store_true", help="only print the environment, a variable a line")
    asked = parser.parse_args()
    places = Places(asked.home.resolve(), asked.secrets.resolve(), asked.api)
    service = here(known[asked.name], places, asked.number)
    if asked.print:
        print(*(f"{name}={service.environment[name]}" for name in known[asked.name].environment), sep="\n")
        return
    places.home.mkdir(parents=True, exist_ok=True)
    os.chdir(PROJECT)
    os.execvpe(service.command[0], service.command, service.environment)  # noqa: S606 - the command is compose.yaml's


if __name__ == "__main__":
    main()
