"""The section ``options`` of a system: what its provider wants to know besides address and credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.core.errors import ConfigError
from pv_testing.core.problems import allowed

if TYPE_CHECKING:
    from pv_testing.config.model import SystemConfig

OF_SYSTEM: Mapping[str, Mapping[str, Any]] = {
    "framework": {"overlap": 300, "reread_hours": 24, "shared_for": 300},
    "qms": {"mask_ip": False},
}
"""The options of each system whatever product it is, with their defaults."""

OF_EVERY: Mapping[str, Any] = {"file_store": ""}
"""The options of every system: where the folders are of operations that are carried by files, and of imports."""

OF_AUTH: Mapping[str, Mapping[str, Any]] = {"starlims": {"server_url": "", "hex_case": "upper", "impersonate": ""}}
"""The options of a way of authenticating: what it must know of the place where it is used."""

_KINDS = {bool: "true or false", int: "a whole number", str: "text"}


def chosen(config: SystemConfig, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the options of a system, those that aren't said with their defaults.

    One that nobody reads is an error: whoever has written ``mask_ips`` would believe that addresses are masked.

    Args:
        config: the system's part of the configuration.
        known: the options of its product with their defaults.

    Raises:
        ConfigError: one is unknown or of the wrong type.
    """
    of_way = OF_AUTH.get(config.auth_type, {})
    defaults = {**OF_EVERY, **OF_SYSTEM.get(config.system, {}), **of_way, **(known or {})}
    for name, value in config.options.items():
        if name not in defaults:
            raise _unusable(config, f"unknown option {name!r}; {allowed(name, list(defaults))}", "OPTION_UNKNOWN")
        kind = type(defaults[name])
        if type(value) is not kind:
            raise _unusable(config, f"the option {name} must be {_KINDS[kind]}", "OPTION_WRONG")
    return {**defaults, **config.options}


def _unusable(config: SystemConfig, text: str, code: str) -> ConfigError:
    return ConfigError(f"{config.where or config.system}: {text}", system=config.system, code=code)
