"""Keeps the runs of a DAG from carrying one service request at the same time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowRuntimeError

from pv_testing.core.visible import visible

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pv_testing.ledger import Ledger
    from pv_testing.workflow.request_locks import RequestLocks

log = logging.getLogger(__name__)


def locks_of(ledger: Ledger, context: Context, sweep: str) -> RequestLocks:
    """Return the locks of a task's run; Airflow says which of the others have ended.

    Args:
        ledger: where the locks are kept.
        context: of the task.
        sweep: in which requests are locked.
    """
    from pv_testing.workflow.request_locks import UNFINISHED, RequestLocks

    ti = context["ti"]

    def is_running(run_id: str) -> bool:
        try:
            return bool(ti.get_dr_count(ti.dag_id, run_ids=[run_id], states=list(UNFINISHED)))
        except AirflowRuntimeError as error:
            log.warning(
                "Airflow doesn't say whether the run %s has ended, so its locks count: %s", visible(run_id), error
            )
            return True

    return RequestLocks(ledger, ti.dag_id, sweep, ti.run_id, is_running)


def locked_out(others: dict[str, str]) -> Exception:
    """Return the error that another run carries the service requests of a task.

    Args:
        others: the run that carries each, by its number.
    """
    from pv_testing.core.errors import RequestLocked

    number, run_id = next(iter(others.items()))
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    text = f"the run {run_id} of this DAG is carrying the service request{more}; try again when it has ended"
    return RequestLocked(text, system="framework", key=number)
