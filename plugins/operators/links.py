"""From a task in the UI to what it made in the other system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class SampleLink(BaseOperatorLink):
    """A button that opens the task's first sample in the LIMS, where the connection's *Sample page* says how."""

    name = "Sample in the LIMS"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address; Airflow asks in the task's own process, right after it has ended.

        Args:
            operator: the operator that ran.
            ti_key: which of its runs.
        """
        return str(getattr(operator, "sample_page", ""))
