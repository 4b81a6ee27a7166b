"""A system's configuration from the arguments of a client, as the integration guide's samples give them."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pv_testing.config.kinds import wanted
from pv_testing.config.load import kept, load_config, scope_names
from pv_testing.config.model import ALIASES, ONE_WAY, SystemConfig, default_auth_type, default_contract
from pv_testing.config.variables import Missing, expand
from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import allowed, refuse

_INNER = frozenset({"system", "where", "problems", "enabled", "connection"})
KNOWN = tuple(field.name for field in fields(SystemConfig) if field.name not in _INNER)


def system_config(system: str, base_url: str | None = None, **settings: Any) -> SystemConfig:
    """Return the configuration of one system, ready for use.

    Args:
        system: ``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.
        base_url: its address; without it, the configuration file says it and ``settings`` are laid over the file.
        settings: the file's keys; ``${VARIABLE}`` is replaced as there.

    Raises:
        ConfigError: the file can't be used, a setting is unknown, missing or of the wrong type.
    """
    given = {_known(system, name): _read(system, name, value) for name, value in settings.items() if value is not None}
    if not base_url:
        config = load_config().systems[system]
        if not given:
            return config.ready()
    else:
        config = SystemConfig(system=system, auth_type=default_auth_type(system, {}))
        given["base_url"] = _read(system, "base_url", base_url)
        given.setdefault("auth_type", default_auth_type(system, given))
    if not given.get("contract") and (base_url or "provider" in given):
        given["contract"] = default_contract(system, given.get("provider", ""))
    refuse(() if given.get("contract") else config.without_contract())
    return replace(config, **{name: kept(name, value) for name, value in given.items()}, problems=()).ready()


def _known(system: str, name: str) -> str:
    known = ALIASES.get(name, name)
    if known not in KNOWN:
        raise ConfigError(f"unknown setting {name!r}; {allowed(name, KNOWN)}", system=system)
    if known == "bidirectional" and system != "lims":
        raise ConfigError(f"{name} {ONE_WAY}", system=system)
    return known


def _read(system: str, name: str, value: Any) -> Any:
    kind = wanted(name, value)
    if kind:
        raise ConfigError(f"{name} must be {kind}, not {type(value).__name__}", system=system)
    if name == "scopes":
        return scope_names(value)
    if isinstance(value, Path):
        value = str(value)
    try:
        return expand(value, os.environ) if isinstance(value, str) else value
    except Missing as missing:
        raise ConfigError(f"{name}: {missing}", system=system) from None
