"""A run is as red as its reddest task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context


class FailRunOperator(BaseOperator):
    """Makes a run red when a task before it is; skipped when none is.

    Airflow judges a run by its last tasks alone. Where those go on whatever became of the first, a red one would be
    lost in a green run.
    """

    ui_color = "#f4e1e1"

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "one_failed")
        super().__init__(**kwargs)

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Fail.

        Raises:
            AirflowFailException: always; the task runs only when one before it has failed.
        """
        raise AirflowFailException("a task of this run is red; its log names the records that are not in effect")
