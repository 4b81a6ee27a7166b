"""``python -m cluster.service NAME``: run one service of ``compose.yaml`` on this machine, without containers.

This process becomes the service, so that systemd or another supervisor sees and restarts it. ``NAME-2`` is a second one
on the same machine, with ports of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cluster.compose import PROJECT, Places, Service, services
from demo.airflow import plain_environment

SANDBOX = "sandbox"
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
SANDBOX_HOST = "SANDBOX_HOST"
HEALTH_SECONDS = 60.0
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
    only_here = {**ports, SANDBOX_HOST: "127.0.0.1"}
    environment |= {name: value for name, value in only_here.items() if name in environment}
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


def place(name: str) -> tuple[str, int]:
    """Return the service and which of several a name means: ``worker-2`` is the second worker.

    Args:
        name: as a user or systemd gives it.
    """
    service, _, number = name.rpartition("-")
    return (service, int(number)) if number.isdecimal() else (name, 1)


def check(service: Service) -> int:
    """Run the health check that ``compose.yaml`` has for a service, say what it finds, and return its exit status.

    Args:
        service: as it is on this machine.
    """
    checked = subprocess.run(  # noqa: S603 - the command is compose.yaml's
        service.health,
        env=service.environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HEALTH_SECONDS,
        check=False,
    )
    if checked.returncode:
        print(checked.stdout, f"{service.name} is not healthy", sep="", file=sys.stderr)
    else:
        print(f"{service.name} is healthy")
    return checked.returncode


def main() -> None:
    """Become the service, check it, or print its environment."""
    known = services(settings(PROJECT / ".env"))
    asked = _arguments([name for name in known if name in (*SERVICES, "migrate", SANDBOX)])
    name, number = place(asked.name)
    places = Places(asked.home.expanduser().resolve(), asked.secrets.expanduser().resolve(), asked.api)
    service = here(known[name], places, number)
    if asked.check:
        sys.exit(check(service))
    if asked.print:
        print(*(f"{name}={service.environment[name]}" for name in known[name].environment), sep="\n")
        return
    places.home.mkdir(parents=True, exist_ok=True)
    if name == SANDBOX:
        give_credentials(places)
    os.chdir(PROJECT)
    os.execvpe(service.command[0], service.command, service.environment)  # noqa: S606 - the command is compose.yaml's


def _arguments(runnable: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cluster.service", description=__doc__)
    names = ", ".join(runnable)
    parser.add_argument("name", help=f"{names}; with -2 for a second one on this machine", metavar="NAME")
    parser.add_argument("--home", type=Path, required=True, help="Airflow's home: logs, and the users' passwords")
    parser.add_argument("--secrets", type=Path, required=True, help="the folder that cluster.secrets has written")
    parser.add_argument("--api", default="127.0.0.1:8080", help="host and port of the API server (127.0.0.1:8080)")
    parser.add_argument("--check", action="store_true", help="only say whether it is healthy")
    parser.add_argument("--print", action="store_true", help="only print the environment, a variable a line")
    asked = parser.parse_args()
    if place(asked.name)[0] not in runnable:
        parser.error(f"there is no service {asked.name}; there are {names}")
    return asked


def give_credentials(places: Places) -> None:
    """Give the sandbox its credentials where ``compose.yaml`` mounts them.

    Args:
        places: of the folders.
    """
    file = places.home / "sandbox-data" / "credentials.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes((places.secrets / "sandbox.json").read_bytes())


if __name__ == "__main__":
    main()
