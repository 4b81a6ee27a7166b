"""Waits until the LIMS has made certificates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from operators.retry_policy import ErrorTreeRetryPolicy
from pv_testing.core.errors import IntegrationError

if TYPE_CHECKING:
    from airflow.sdk import Context

INLINE_SECONDS = 20.0
INLINE_INTERVAL = 2.0


class WaitForCertificates(BaseOperator):
    """Waits until the LIMS has made all certificates of a task before, without a worker.

    Like :class:`~sensors.receipt.WaitForSampleReceipt`, it looks itself for a short while before it defers.

    Args:
        certificates: what :class:`~operators.files.RequestCertificatesOperator` gave.
        interval: seconds between two looks of the trigger.
        patience: how long to wait at the most.
        inline_seconds: for how long the task looks itself.
        lims_conn_id: the connection of the LIMS.
    """

    template_fields: Sequence[str] = ("certificates", "lims_conn_id")
    ui_color = "#f7efe0"

    def __init__(
        self,
        *,
        certificates: Any,
        interval: float = 60.0,
        patience: timedelta = timedelta(days=7),
        inline_seconds: float = INLINE_SECONDS,
        lims_conn_id: str = "pv_lims",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retries", 2)
        kwargs.setdefault("retry_policy", ErrorTreeRetryPolicy())
        super().__init__(**kwargs)
        self.certificates = certificates
        self.interval = interval
        self.patience = patience
        self.inline_seconds = inline_seconds
        self.lims_conn_id = lims_conn_id

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Look for a short while, then defer."""
        from triggers.certificates import CertificateTrigger

        ids = [each[2] for each in self.certificates]
        if not self._made_soon(ids):
            trigger = CertificateTrigger(ids, self.lims_conn_id, self.interval)
            self.defer(trigger=trigger, method_name="made", timeout=self.patience)

    def made(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002 - Airflow's signature
        """Take what the trigger says.

        Args:
            context: the task's context.
            event: whether all are made, else why the watch ended.

        Raises:
            IntegrationError: the LIMS can't be watched, or has given a certificate up.
        """
        if not event["made"]:
            raise IntegrationError(f"the watch ended: {event['reason']}", system="lims", code=event["code"])
        self.log.info("all certificates are made")

    def _made_soon(self, ids: Sequence[str]) -> bool:
        from hooks.lims import LIMSHook
        from pv_testing.core.sync import run
        from pv_testing.samples.certificates import unfinished

        deadline = time.monotonic() + self.inline_seconds
        with LIMSHook(self.lims_conn_id).get_client() as lims:
            while waiting := run(unfinished(lims, ids)):
                if time.monotonic() + INLINE_INTERVAL > deadline:
                    self.log.info("%d certificates are still to be made; a trigger watches them", len(waiting))
                    return False
                time.sleep(INLINE_INTERVAL)
        self.log.info("all certificates are made")
        return True
