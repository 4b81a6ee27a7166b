"""From a task in the UI to what it made in the other system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class RecordLink(BaseOperatorLink):
    """A button that opens the task's first record in its system, where the connection says how."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address; Airflow asks in the task's own process, right after it has ended.

        Args:
            operator: the operator that ran.
            ti_key: which of its runs.
        """
        return str(getattr(operator, "record_page", ""))


class SampleLink(RecordLink):
    """Opens a sample; the connection's *Sample page* says how."""

    name = "Sample in the LIMS"


class NonConformanceLink(RecordLink):
    """Opens a non-conformance; the connection's *Non-conformance page* says how."""

    name = "Non-conformance in the QMS"


class TaskLink(RecordLink):
    """Opens a project task; the connection's *Task page* says how."""

    name = "Task in project management"


class InvoiceLink(RecordLink):
    """Opens an invoice; the connection's *Invoice page* says how."""

    name = "Invoice in the ERP"
