"""The configuration: which systems there are, where, who asks, and what the laboratory is."""

from __future__ import annotations

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
