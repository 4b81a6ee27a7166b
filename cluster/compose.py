"""Reads ``compose.yaml``, and says what its services are on one machine: the same commands, the same environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
FILE = PROJECT / "compose.yaml"
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """One service of the file.

    Attributes:
        name: in the file.
        command: the program and its arguments.
        environment: its variables.
        health: the command that says whether it is healthy.
        replicas: how many of it run.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]
    replicas: int


@dataclass(frozen=True)
class Places:
    """What stands on one machine for the folders and hosts of the containers.

    Attributes:
        home: for ``/opt/airflow``.
        secrets: for ``/run/secrets``.
        api: host and port of the API server.
    """

    home: Path
    secrets: Path
    api: str

    def translated(self, text: str) -> str:
        """Return a value or an argument of the file as it is on this machine."""
        for container, here in (
            ("/opt/airflow/plugins", str(PROJECT / "plugins")),
            ("/opt/airflow/dags", str(PROJECT / "dags")),
            ("/opt/airflow", str(self.home)),
            ("/run/secrets", str(self.secrets)),
            ("http://api-server:8080", f"http://{self.api}"),
        ):
            text = text.replace(container, here)
        return text


def services(variables: Mapping[str, str], file: Path = FILE) -> dict[str, Service]:
    """Return the services of the file by name.

    Args:
        variables: stand for ``${NAME}`` in the file, as those of a file ``.env`` do.
        file: another file than the project's.
    """
    described = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return {name: _service(name, each, variables) for name, each in described.items()}


def _service(name: str, described: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    test = [filled(part, variables) for part in described.get("healthcheck", {}).get("test", [])]
    return Service(
        name=name,
        command=[filled(part, variables) for part in described.get("command", [])],
        environment={key: filled(str(value), variables) for key, value in described.get("environment", {}).items()},
        health=["sh", "-c", *test[1:]] if test[:1] == ["CMD-SHELL"] else test[1:],
        replicas=described.get("deploy", {}).get("replicas", 1),
    )


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a value of the file with ``${NAME}``, ``${NAME:-default}`` and ``$$`` replaced, as Compose does.

    Args:
        text: the value.
        variables: by name.
    """
    return VARIABLE.sub(
        lambda match: (variables.get(match["name"]) or match["default"] or "") if match["name"] else "$", text
    )
