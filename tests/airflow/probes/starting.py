"""Prints which of the product's modules are there when a process of Airflow has started: a job's, or a task's."""

from __future__ import annotations

import json
import sys

from airflow.jobs.job import Job
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker
from airflow.sdk.listener import get_listener_manager

if sys.argv[1] == "job":
    Job()
else:
    get_listener_manager().hook.on_starting(component=TaskRunnerMarker())
print(json.dumps(sorted(name for name in sys.modules if name.startswith(("pv_testing", "operators", "hooks")))))
