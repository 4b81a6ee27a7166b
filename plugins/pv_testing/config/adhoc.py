"""A system's configuration from the arguments of a client, as the integration guide's samples give them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pv_testing.config.load import load_config
from pv_testing.config.model import (
    ONE_WAY,
    SystemConfig,
    default_contract,
    refuse_unknown_way,
)
from pv_testing.config.sections import ALIASES, KEYS, SystemSection, default_auth_type
from pv_testing.config.variables import Missing, expand
from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import allowed, refuse
from pv_testing.core.validation import validate
from pv_testing.core.yaml_file import dotted

KNOWN = tuple(name for name in KEYS if name not in {"enabled", "connection"})


def system_config(system: str, base_url: str | None = None, **settings: Any) -> SystemConfig:
    """Return the configuration of one system, ready for use.

    Args:
        system: ``framework``, ``lims``, ``qms``, ``pm`` or ``erp``.
        base_url: its address; without it, the configuration file says it and ``settings`` are laid over the file.
        settings: the file's keys; ``${VARIABLE}`` is replaced as there.

    Raises:
        ConfigError: the file can't be used, a setting is unknown, missing or of the wrong type.
    """
    given = _given(system, settings if not base_url else {**settings, "base_url": base_url})
    if not base_url:
        config = load_config().systems[system]
        if not given:
            return config.ready()
    else:
        config = SystemConfig(system=system)
        given.setdefault("auth_type", default_auth_type(system, given))
    if not given.get("contract") and (base_url or "provider" in given):
        given["contract"] = default_contract(system, given.get("provider", ""))
    refuse(() if given.get("contract") else config.without_contract())
    return config.overlay(**given, problems=()).ready()


def _refuse_unknown(system: str, name: str) -> None:
    if ALIASES.get(name, name) not in KNOWN:
        raise ConfigError(f"unknown setting {name!r}; {allowed(name, KNOWN)}", system=system)
    if name == "bidirectional" and system != "lims":
        raise ConfigError(f"{name} {ONE_WAY}", system=system)


def _given(system: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are said, each as the configuration keeps it."""
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        _refuse_unknown(system, name)
    given = {name: _expanded(system, name, value) for name, value in given.items()}
    refuse_unknown_way(given.get("auth_type"), system)
    section, faults = validate(SystemSection, {name: value for name, value in given.items() if value != ""}, show=False)
    if section is None:
        raise ConfigError("; ".join(f"{dotted(place)} {text}" for place, text in faults), system=system)
    empty = (ALIASES.get(name, name) for name, value in given.items() if value == "")
    return {**{name: SystemSection.model_fields[name].default for name in empty}, **section.given()}


def _expanded(system: str, name: str, value: Any) -> Any:
    try:
        return expand(value, os.environ) if isinstance(value, str) else value
    except Missing as missing:
        raise ConfigError(f"{name}: {missing}", system=system) from None
