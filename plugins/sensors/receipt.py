"""Waits until samples have arrived in the laboratory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.lineage import LineageMixin
from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core.errors import IntegrationError

if TYPE_CHECKING:
    from airflow.sdk import Context

INLINE_SECONDS = 20.0
INLINE_INTERVAL = 2.0


class WaitForSampleReceipt(LineageMixin, BaseOperator):
    """Waits until the LIMS has received all samples of some service requests, without a worker.

    It looks itself for a short while and then leaves the watch to one trigger for all samples: a task that defers for
    less than about 20 seconds may be taken for failed by this version of Airflow, and then runs again.

    Args:
        service_requests: their numbers; without any, every sample that the LIMS waits for.
        interval: seconds between two looks of the trigger.
        patience: how long to wait at the most.
        inline_seconds: seconds for which the task looks itself.
        lims_conn_id: the connection of the LIMS.
    """

    template_fields: Sequence[str] = ("service_requests", "lims_conn_id")
    ui_color = "#f7efe0"

    def __init__(
        self,
        *,
        service_requests: Sequence[str] = (),
        interval: float = 60.0,
        patience: timedelta = timedelta(days=14),
        inline_seconds: float = INLINE_SECONDS,
        lims_conn_id: str = "pv_lims",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retries", 2)
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        self.service_requests = service_requests
        self.interval = interval
        self.patience = patience
        self.inline_seconds = inline_seconds
        self.lims_conn_id = lims_conn_id

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Look for a short while, then defer."""
        from triggers.receipt import SampleReceiptTrigger

        if self._arrives_soon():
            return
        trigger = SampleReceiptTrigger(list(self.service_requests), self.lims_conn_id, self.interval)
        self.defer(trigger=trigger, method_name="arrived", timeout=self.patience)

    def arrived(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002 - Airflow's signature
        """Take the trigger's event.

        Args:
            context: the task's context.
            event: whether all samples have arrived, else the cause for which the watch ended.

        Raises:
            IntegrationError: the LIMS can't be watched; the message names the cause.
        """
        if not event["received"]:
            raise IntegrationError(f"the watch ended: {event['reason']}", system="lims", code=event["code"])
        self.log.info("all samples have arrived")

    def _arrives_soon(self) -> bool:
        from hooks.lims import LIMSHook
        from pv_testing.core.sync import run
        from triggers.receipt import awaited

        deadline = time.monotonic() + self.inline_seconds
        with LIMSHook(self.lims_conn_id).get_client() as lims:
            while waiting := run(awaited(lims, self.service_requests)):
                if time.monotonic() + INLINE_INTERVAL > deadline:
                    self.log.info("%d samples are still to arrive; a trigger watches them", len(waiting))
                    return False
                time.sleep(INLINE_INTERVAL)
        self.log.info("all samples have arrived")
        return True
