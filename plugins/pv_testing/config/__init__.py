"""The configuration: which systems there are, where, who asks, and what the laboratory is."""

from __future__ import annotations

from pv_testing.config.adhoc import system_config
from pv_testing.config.load import config_path, load_config
from pv_testing.config.model import Config, LabConfig, Secret, SystemConfig, default_ledger_url

__all__ = [
    "Config",
    "LabConfig",
    "Secret",
    "SystemConfig",
    "config_path",
    "default_ledger_url",
    "load_config",
    "system_config",
]
