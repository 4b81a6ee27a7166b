"""Airflow loads the plugin module and nothing else of its folder: nothing of ours exists twice or hides another."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.airflow.home import PROJECT, ask


def test_plugin_loading_shadows_nothing_and_copies_nothing(tmp_path: Path) -> None:
    found = ask("tests.airflow.probes.loaded", str(PROJECT / "plugins"), home=tmp_path)
    assert found["errors"] == {}
    assert "pv_testing" in found["loaded"]
    assert found["copy"] == "hooks.lims"
    misnamed = {name: path for name, path in found["ours"].items() if name != importable(path)}
    assert misnamed == {}, "modules that exist under a second name"
    assert not set(found["ours"]) & sys.stdlib_module_names


def test_no_module_that_airflow_might_load_is_named_like_one_of_the_standard_library() -> None:
    folders = [PROJECT / "plugins" / folder for folder in ("hooks", "operators", "sensors", "triggers")]
    stems = {path.stem for folder in folders for path in folder.rglob("*.py")}
    assert not stems & sys.stdlib_module_names


def importable(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
