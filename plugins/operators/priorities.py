"""Whose requests go first where all tasks share a limit: a person's replay, then the sweeps, then backfills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_testing.core.priority import Priority

if TYPE_CHECKING:
    from airflow.sdk import Context

BACKFILL = "backfill"


def priority_of(context: Context, *, replay: bool = False) -> Priority:
    """Return the priority of a task's requests.

    Args:
        context: of the task; a run that a backfill has made goes behind all others.
        replay: whether a person has asked to try records again.
    """
    kind = str(getattr(context.get("dag_run"), "run_type", "")).rpartition(".")[2].lower()
    if kind == BACKFILL:
        return Priority.BACKFILL
    return Priority.REPLAY if replay else Priority.NORMAL
