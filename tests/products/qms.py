"""What the tests of these products share: a configuration of one system, and clients of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pv_testing.config.model import default_contract
from sandbox.products import StandIn
from tests import yaml_text
from tests.shipped import impatient


def write_section(folder: Path, system: str, section: Mapping[str, Any]) -> Path:
    """Write a configuration with one system, and return its file."""
    path = folder / "integrations.yaml"
    path.write_text(yaml_text.dump({system: dict(section)}), encoding="utf-8")
    return path


def quick_section(stand_in: StandIn, folder: Path) -> dict[str, Any]:
    """Return a stand-in's section with its shipped contract, whose horizon is short.

    Args:
        stand_in: of a QMS.
        folder: for the contract.
    """
    section = dict(stand_in.section)
    name = default_contract("qms", section["provider"])
    return {**section, "contract": str(impatient(name, folder, horizon=0.2))}
