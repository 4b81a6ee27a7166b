"""Waits for the LIMS without a worker: a short while in the task, then by a trigger."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from operators.lineage import LineageMixin
from operators.retry_policy import with_retries
from pv_testing.core.errors import IntegrationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from triggers.lims_watch import LimsWatch

INLINE_SECONDS = 20.0
INLINE_INTERVAL = 2.0


class WaitForLims(LineageMixin, BaseOperator):
    """Waits until a trigger finds nothing left in the LIMS.

    It looks itself for a short while and then leaves the watch to one trigger: a task that defers for less than about
    20 seconds may be taken for failed by this version of Airflow, and then runs again.

    Args:
        interval: seconds between two looks of the trigger.
        patience: how long to wait at the most.
        inline_seconds: seconds for which the task looks itself.
        lims_conn_id: the connection of the LIMS.

    Attributes:
        done: what the log says when nothing is left.
    """

    ui_color = "#f7efe0"
    done: ClassVar[str]

    def __init__(
        self,
        *,
        interval: float = 60.0,
        patience: timedelta,
        inline_seconds: float = INLINE_SECONDS,
        lims_conn_id: str = "pv_lims",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retries(kwargs))
        self.interval = interval
        self.patience = patience
        self.inline_seconds = inline_seconds
        self.lims_conn_id = lims_conn_id

    def trigger(self) -> LimsWatch:
        """Return the trigger that watches for this task."""
        raise NotImplementedError

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Look for a short while, then defer."""
        trigger = self.trigger()
        if not self._ends_soon(trigger):
            self.defer(trigger=trigger, method_name="ended", timeout=self.patience)

    def ended(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002 - Airflow's signature
        """Take the trigger's event.

        Args:
            context: the task's context.
            event: whether nothing is left, else the cause for which the watch ended.

        Raises:
            IntegrationError: the LIMS can't be watched; the message names the cause.
        """
        if not event["done"]:
            raise IntegrationError(f"the watch ended: {event['reason']}", system="lims", code=event["code"])
        self.log.info("%s", self.done)

    def _ends_soon(self, trigger: LimsWatch) -> bool:
        from hooks.lims import LIMSHook
        from pv_testing.core.sync import run

        deadline = time.monotonic() + self.inline_seconds
        with LIMSHook(self.lims_conn_id).get_client() as lims:
            while waiting := run(trigger.waiting(lims)):
                if time.monotonic() + INLINE_INTERVAL > deadline:
                    self.log.info("%d %s; a trigger watches them", len(waiting), trigger.still)
                    return False
                time.sleep(INLINE_INTERVAL)
        self.log.info("%s", self.done)
        return True
