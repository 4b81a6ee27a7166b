"""Waits until samples have arrived in the laboratory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sensors.lims_watch import WaitForLims

if TYPE_CHECKING:
    from airflow.sdk import Context

    from triggers.receipt import SampleReceiptTrigger


class WaitForSampleReceipt(WaitForLims):
    """Waits until the LIMS has received all samples of some service requests, without a worker.

    Args:
        service_requests: their numbers; without any, every sample that the LIMS waits for.
        patience: how long to wait at the most.
        kwargs: the arguments of :class:`~sensors.lims_watch.WaitForLims`.
    """

    template_fields: Sequence[str] = ("service_requests", "lims_conn_id")
    done = "all samples have arrived"

    def __init__(
        self, *, service_requests: Sequence[str] = (), patience: timedelta = timedelta(days=14), **kwargs: Any
    ) -> None:
        super().__init__(patience=patience, **kwargs)
        self.service_requests = service_requests

    def trigger(self) -> SampleReceiptTrigger:
        """Return the trigger that watches all samples of this task."""
        from triggers.receipt import SampleReceiptTrigger

        return SampleReceiptTrigger(list(self.service_requests), self.lims_conn_id, self.interval)

    def arrived(self, context: Context, event: dict[str, Any]) -> None:
        """Take the event of a task that an earlier version has deferred; see :meth:`WaitForLims.ended`."""
        self.ended(context, event)
