"""What the tests of these products share: a configuration of one system, and clients of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def write_section(folder: Path, system: str, section: Mapping[str, Any]) -> Path:
    """Write a configuration with one system, and return its file."""
    path = folder / "integrations.yaml"
    path.write_text(yaml.safe_dump({system: dict(section)}), encoding="utf-8")
    return path
