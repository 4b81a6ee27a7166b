"""The laboratory's own rules, such as prices and CAPA thresholds: one YAML file each, beside ``integrations.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_testing.config.load import config_path
from pv_testing.core.problems import refuse
from pv_testing.core.yaml_file import read_yaml

POLICIES = ("quality", "capa", "projects", "billing", "prices", "inventory", "webhooks")


def read_policy(name: str, path: str | Path | None = None) -> Mapping[str, Any]:
    """Read the rules of one field.

    Args:
        name: one of :data:`POLICIES`; also the name of its JSON Schema in ``include/schemas``.
        path: the file; ``<name>.yaml`` beside the configuration file by default.

    Raises:
        ConfigError: with file, line, key and remedy for each thing that is wrong.
    """
    from pv_testing.core.schema import check

    document = read_yaml(Path(path) if path else config_path().with_name(f"{name}.yaml"))
    refuse(check(document, name))
    return document.value or {}
