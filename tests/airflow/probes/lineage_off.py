"""Prints what is left of OpenLineage in a process where no transport is configured and an exchange has been run."""

from __future__ import annotations

import json
import sys

from airflow.sdk import plugins_manager

import pv_plugin
from operators.lineage import remember
from operators.samples import CreateSamplesOperator
from pv_testing.exchange.report import Report

plugins_manager._get_plugins()
task = CreateSamplesOperator(task_id="create_samples")
remember(task, [], [Report("create_sample", "lims")])
imported = [
    name for name in sys.modules if name.startswith(("openlineage", "operators.lineage_", "pv_testing.lineage"))
]
listeners = [type(each).__name__ for each in pv_plugin.PVTestingPlugin.listeners]
answer = {"imported": imported, "listeners": listeners, "flows": len(task.flows)}
print(json.dumps(answer))
