"""Prints what Airflow makes of the DAG files in a folder."""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.dag_processing.dagbag import DagBag

import tests.dags.probes.offline  # noqa: F401 - before a DAG file is imported


def describe(dag: Any) -> dict[str, Any]:
    """Return what a person or the scheduler sees of a DAG."""
    return {
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "owner": dag.owner,
        "params": sorted(dag.params),
        "catchup": dag.catchup,
        "runs": dag.max_active_runs,
        "interval": interval_of(dag.schedule),
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def interval_of(schedule: Any) -> str:
    """Return the time between two runs by schedule, also of a DAG that runs on assets besides."""
    by_time = getattr(schedule, "timetable", schedule)
    return str(getattr(by_time, "delta", by_time))


def describe_task(task: Any) -> dict[str, Any]:
    """Return the same of a task."""
    return {
        "retries": task.retries,
        "policy": task.has_retry_policy,
        "mapped": task.is_mapped,
        "title": getattr(task, "map_index_template", None),
        "sweep": getattr(task, "sweep", ""),
        "checkpoint": getattr(task, "checkpoint", ""),
        "executions": getattr(task, "executions", None),
        "outlets": [asset.uri for asset in task.outlets],
        "inlets": [asset.uri for asset in task.inlets],
        "links": sorted(link.name for link in task.operator_extra_links),
        "downstream": sorted(task.downstream_task_ids),
    }


bag = DagBag(sys.argv[1])
print(json.dumps({"errors": bag.import_errors, "dags": {name: describe(dag) for name, dag in bag.dags.items()}}))
