"""A system's configuration from the arguments of a client, as the integration guide's samples give them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pv_testing.config.load import kept, load_config, scope_names
from pv_testing.config.model import SystemConfig, default_auth_type, default_contract
from pv_testing.config.variables import Missing, expand
from pv_testing.contracts.problems import allowed
from pv_testing.errors import ConfigError

_ALIASES = {"api_token": "token"}
_INNER = frozenset({"system", "where", "problems", "enabled", "connection"})
KNOWN = tuple(field.name for field in fields(SystemConfig) if field.name not in _INNER)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_duration(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and value >= 0


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(part, str) and part for pair in value.items() for part in pair)


def _is_options(value: Any) -> bool:
    inner = (str, int, float)
    return isinstance(value, Mapping) and all(isinstance(n, str) and isinstance(v, inner) for n, v in value.items())


def _is_file(value: Any) -> bool:
    return isinstance(value, (str, Path))


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, (str, list, tuple)) and all(isinstance(part, str) for part in value)


# No schema reads arguments as it reads the file, and the text "false" would count as true.
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "allow_http": (_is_switch, "True or False"),
    "bidirectional": (_is_switch, "True or False"),
    "sync_interval": (_is_duration, "a number of seconds"),
    "mappings": (_is_texts, "a mapping of names to names"),
    "options": (_is_options, "a mapping of names to text, numbers or truth values"),
    "scopes": (_is_list_of_text, "text or a list of text"),
    **dict.fromkeys(("contract", "client_cert", "client_key", "ca_cert"), (_is_file, "text or a path")),
}
_TEXT = (lambda value: isinstance(value, str)), "text"


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
        given.setdefault("contract", default_contract(system, given.get("provider", "")))
        given.setdefault("auth_type", default_auth_type(system, given))
    return replace(config, **{name: kept(name, value) for name, value in given.items()}, problems=()).ready()


def _known(system: str, name: str) -> str:
    known = _ALIASES.get(name, name)
    if known not in KNOWN:
        raise ConfigError(f"unknown setting {name!r}; {allowed(name, KNOWN)}", system=system)
    return known


def _read(system: str, name: str, value: Any) -> Any:
    fits, wanted = _KINDS.get(name, _TEXT)
    if not fits(value):
        raise ConfigError(f"{name} must be {wanted}, not {type(value).__name__}", system=system)  # it may be a secret
    if name == "scopes":
        return scope_names(value)
    if isinstance(value, Path):
        value = str(value)
    try:
        return expand(value, os.environ) if isinstance(value, str) else value
    except Missing as missing:
        raise ConfigError(f"{name}: {missing}", system=system) from None
