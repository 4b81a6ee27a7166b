"""Airflow loads the plugin module and nothing else of its folder: nothing of ours exists twice or hides another.

Both of Airflow's loaders are asked, in a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.airflow.home import PROJECT, environment

PROBE = """
import json, sys
from pathlib import Path

plugins = Path(sys.argv[1])
from airflow import plugins_manager
from airflow.sdk import plugins_manager as sdk_plugins_manager

loaded = {plugin.name for plugin in plugins_manager._get_plugins()[0]}
errors = {**plugins_manager._get_plugins()[1], **sdk_plugins_manager._get_plugins()[1]}
from hooks.lims import LIMSHook

ours = {name: str(Path(module.__file__).relative_to(plugins))
        for name, module in list(sys.modules.items())
        if getattr(module, "__file__", None) and plugins in Path(module.__file__).parents}
print(json.dumps({"loaded": sorted(loaded), "errors": errors, "ours": ours, "copy": LIMSHook.__module__}))
"""


def test_plugin_loading_shadows_nothing_and_copies_nothing(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, str(PROJECT / "plugins")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert "pv_testing" in found["loaded"]
    assert found["copy"] == "hooks.lims"
    misnamed = {name: path for name, path in found["ours"].items() if name != _importable(path)}
    assert misnamed == {}, "modules that exist under a second name"
    assert not {name for name in found["ours"] if name in sys.stdlib_module_names}


def test_no_module_that_airflow_might_load_is_named_like_one_of_the_standard_library() -> None:
    folders = [PROJECT / "plugins" / folder for folder in ("hooks", "operators", "sensors", "triggers")]
    stems = {path.stem for folder in folders for path in folder.rglob("*.py")}
    assert not stems & sys.stdlib_module_names


def _importable(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
