"""Lays an Airflow connection over a system's configuration; imports no Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from pv_testing.config.kinds import wanted
from pv_testing.config.load import kept, scope_names
from pv_testing.config.model import ALIASES, NEEDED, SystemConfig, default_contract, refuse_unknown_way
from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import Problem, allowed

TEXTS = (
    "auth_type",
    "provider",
    "contract",
    "api_key",
    "api_key_header",
    "username",
    "password",
    "token",
    "client_id",
    "client_secret",
    "token_url",
    "client_cert",
    "client_key",
    "ca_cert",
)
OTHERS = ("scopes", "mappings", "options", "allow_http")
ELSEWHERE = ("sample_url", "nc_url", "task_url", "invoice_url")

_LOGIN = {
    "basic": "username",
    "jwt": "username",
    "login": "username",
    "oauth2": "client_id",
    "mtls": "client_id",
    "wsse": "username",
    "wsse_digest": "username",
}
_PASSWORD = {
    "api_key": "api_key",
    "basic": "password",
    "bearer": "token",
    "jwt": "password",
    "login": "password",
    "oauth2": "client_secret",
    "mtls": "client_secret",
    "wsse": "password",
    "wsse_digest": "password",
}


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
    given = _settings(connection)
    kind = given.setdefault("auth_type", config.auth_type)
    refuse_unknown_way(kind, f"connection {connection.conn_id}")
    for value, names in ((connection.login, _LOGIN), (connection.password, _PASSWORD)):
        if value and kind in names:
            given.setdefault(names[kind], value)
    if "provider" in given and "contract" not in given:
        given["contract"] = default_contract(config.system, given["provider"])
    problems = tuple(problem for problem in config.problems if _stands(problem, given))
    changed = {name: kept(name, value) for name, value in given.items()}
    return replace(config, **changed, connection=connection.conn_id, problems=problems)


def _settings(connection: ConnectionLike) -> dict[str, Any]:
    """Return what a connection's address and extra fields say, by the names of the configuration's keys."""
    given = {}
    for written, value in connection.extra_dejson.items():
        name = ALIASES.get(written, written)
        if name not in (*TEXTS, *OTHERS, *ELSEWHERE):
            known = allowed(name, (*TEXTS, *OTHERS, *ELSEWHERE))
            raise ConfigError(f"connection {connection.conn_id}: unknown extra field {name!r}; {known}")
        if value in (None, "") or name in ELSEWHERE:
            continue
        given[name] = _read(connection.conn_id, name, value)
    address = _address(connection)
    return {**given, "base_url": address} if address else given


def _read(conn_id: str, name: str, value: Any) -> Any:
    if name == "allow_http" and isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)  # a form field is text
    kind = wanted(name, value)
    if kind:
        text = f"the extra field {name!r} has a value of the wrong type; it must be {kind}"
        raise ConfigError(f"connection {conn_id}: {text}")
    if name == "scopes":
        return scope_names(value)
    return dict(value) if isinstance(value, Mapping) else value


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
