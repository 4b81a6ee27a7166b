"""Prints what both of Airflow's plugin loaders have made of the plugins folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow import plugins_manager
from airflow.sdk import plugins_manager as sdk_plugins_manager

plugins = Path(sys.argv[1])
loaded, errors = plugins_manager._get_plugins()
_, sdk_errors = sdk_plugins_manager._get_plugins()

from hooks.lims import LIMSHook  # noqa: E402 - after the loaders, which may have left a copy behind

ours = {
    name: str(Path(module.__file__).relative_to(plugins))
    for name, module in list(sys.modules.items())
    if getattr(module, "__file__", None) and plugins in Path(module.__file__).parents
}
answer = {"loaded": [plugin.name for plugin in loaded], "errors": {**errors, **sdk_errors}, "ours": ours}
print(json.dumps({**answer, "copy": LIMSHook.__module__}))
