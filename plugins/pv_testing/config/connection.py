"""Lays an Airflow connection over a system's configuration; imports no Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import starmap
from typing import Any, Protocol

from pv_testing.config.model import SystemConfig, default_contract, refuse_unknown_way
from pv_testing.config.sections import ALIASES, KEYS, LOGIN, NEEDED, PASSWORD, SECRETS, Secret, SystemSection
from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import Problem, allowed
from pv_testing.core.validation import validate
from pv_testing.core.yaml_file import Place, dotted

ELSEWHERE = ("sample_url", "nc_url", "task_url", "invoice_url")
"""Extra fields that the links of the task instances read."""
NOT_HERE = ("enabled", "provider_class", "connection", "base_url", "sync_interval", "bidirectional", "shared_limit")
EXTRA = (*(key for key in KEYS if key not in NOT_HERE), *ELSEWHERE)
"""The extra fields of a connection."""


class ConnectionLike(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    login: str | None
    password: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra fields."""


def overlay(config: SystemConfig, connection: ConnectionLike) -> SystemConfig:
    """Return a system's configuration with a connection laid over it; what is filled in wins.

    Args:
        config: from the file.
        connection: from Airflow.

    Raises:
        ConfigError: the connection has an extra field that means nothing here.
    """
    given = _kept(connection.conn_id, _settings(connection))
    kind = given.setdefault("auth_type", config.auth_type)
    for value, names in ((connection.login, LOGIN), (connection.password, PASSWORD)):
        if value and kind in names:
            given.setdefault(names[kind], Secret(value) if names[kind] in SECRETS else value)
    if "provider" in given and "contract" not in given:
        given["contract"] = default_contract(config.system, given["provider"])
    problems = tuple(problem for problem in config.problems if _stands(problem, given))
    return config.overlay(**given, connection=connection.conn_id, problems=problems)


def _settings(connection: ConnectionLike) -> dict[str, Any]:
    """Return what a connection's address and extra fields say, by the names of the configuration's keys."""
    given = {}
    for written, value in connection.extra_dejson.items():
        name = ALIASES.get(written, written)
        if name not in EXTRA:
            known = allowed(name, EXTRA)
            raise ConfigError(f"connection {connection.conn_id}: unknown extra field {name!r}; {known}")
        if value not in (None, "") and name not in ELSEWHERE:
            given[name] = value
    address = _address(connection)
    return {**given, "base_url": address} if address else given


def _kept(conn_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a connection says, each as the configuration keeps it."""
    switch = given.get("allow_http")
    if isinstance(switch, str):  # a form field is text
        given["allow_http"] = {"true": True, "false": False}.get(switch.lower(), switch)
    refuse_unknown_way(given.get("auth_type"), f"connection {conn_id}")
    section, faults = validate(SystemSection, given, show=False)
    if section is None:
        raise ConfigError(f"connection {conn_id}: " + "; ".join(starmap(_wrong, faults)))
    return section.given()


def _wrong(place: Place, text: str) -> str:
    if place == ("base_url",):
        return f"the host {text}"
    return f"the extra field {dotted(place)!r} has a value of the wrong type; it {text}"


def _address(connection: ConnectionLike) -> str:
    host = connection.host or ""
    if not host or "://" in host:
        return host
    return f"{connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")


def _stands(problem: Problem, given: Mapping[str, Any]) -> bool:
    """Say whether something that the file lacks is still lacking."""
    key = problem.key.rpartition(".")[2]
    key = "contract" if key == "provider" else ALIASES.get(key, key)
    credentials = {name for names in NEEDED.values() for name in names}
    return key not in given and (key not in credentials or key in NEEDED[given["auth_type"]])
