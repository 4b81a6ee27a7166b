"""Imports what tasks need into the long-lived processes of Airflow, once, before they fork a process for each task.

A task that is forked from the scheduler (``LocalExecutor``), or a DAG file that the DAG processor parses, then finds
these modules imported. Without it each of them spends 0.4 s of processor time on that.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow.listeners import hookimpl

MODULES = (
    "operators.wiring",
    "operators.exchange",
    "hooks.framework",
    "hooks.ledger",
    "hooks.lims",
    "pv_testing.config",
    "pv_testing.contracts.compile",
    "pv_testing.integrations",
    "pv_testing.ledger",
    "pv_testing.workflow.step",
    "pv_testing.workflow.sweep",
)


class PreloadListener:
    """Is told when a process of Airflow starts."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Import the modules in the scheduler, the DAG processor and the triggerer.

        Args:
            component: a job of Airflow; the process of a task, which starts the same way, imports what it needs itself.
        """
        from airflow.jobs.job import Job

        if isinstance(component, Job):
            for name in MODULES:
                import_module(name)
