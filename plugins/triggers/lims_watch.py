"""Watches the LIMS for a task that waits, without a worker; what it waits for, each trigger says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pv_testing.core.errors import Action, IntegrationError, RateLimited

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient

AGAIN = frozenset({Action.RETRY, Action.WAIT})


class LimsWatch(BaseTrigger):
    """Fires when the LIMS has nothing left that a task waits for; a subclass says what is left.

    Args:
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.

    Attributes:
        still: what is said of the things that are left, such as ``samples are still to arrive``.
    """

    still: ClassVar[str]

    def __init__(self, lims_conn_id: str, interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lims_conn_id = lims_conn_id
        self.interval = interval

    async def waiting(self, lims: LIMSClient) -> Sequence[str]:
        """Return the ids of the things that are left.

        Args:
            lims: the client of the LIMS.
        """
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until nothing is left; an error that another look can't mend goes to the task as an event."""
        from hooks.lims import LIMSHook

        try:
            async with await LIMSHook(self.lims_conn_id).aget_client() as lims:
                while pause := await self._look(lims):  # noqa: ASYNC110 - the LIMS sends no events, it must be asked
                    await asyncio.sleep(pause)
        except IntegrationError as error:
            yield TriggerEvent({"done": False, "code": error.code, "reason": str(error)})
        else:
            yield TriggerEvent({"done": True})

    async def _look(self, lims: LIMSClient) -> float:
        """Return the seconds until the next look, 0 when nothing is left."""
        try:
            waiting = await self.waiting(lims)
        except IntegrationError as error:
            if error.action not in AGAIN:
                raise
            self.log.warning("the LIMS can't be asked now, the next look follows: %s", error)
            return max(self.interval, error.retry_after if isinstance(error, RateLimited) else 0.0)
        if not waiting:
            return 0.0
        self.log.info("%d %s, such as %s", len(waiting), self.still, waiting[0])
        return self.interval

    def arguments(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of the trigger, for :meth:`serialize`."""
        return {**more, "lims_conn_id": self.lims_conn_id, "interval": self.interval}
