"""The configuration: which systems there are, where, who asks, and what the laboratory is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pv_testing.config.adhoc import system_config
    from pv_testing.config.load import config_path, configured_ledger_url, lab_zone, load_config
    from pv_testing.config.model import Config, SystemConfig, default_ledger_url
    from pv_testing.config.sections import LabConfig, Secret

__all__ = [
    "Config",
    "LabConfig",
    "Secret",
    "SystemConfig",
    "config_path",
    "configured_ledger_url",
    "default_ledger_url",
    "lab_zone",
    "load_config",
    "system_config",
]

_MODULES = ("sections", "model", "load", "adhoc")


def __getattr__(name: str) -> Any:
    """Import what is asked for: every process of Airflow draws the connections' forms, and needs their fields alone."""
    if name in __all__:
        for module in map(import_module, (f"{__name__}.{each}" for each in _MODULES)):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
