"""Waits until samples have arrived in the laboratory: one trigger watches all that a task waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pv_testing.errors import Action, IntegrationError, RateLimited

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient

AGAIN = frozenset({Action.RETRY, Action.WAIT})


class SampleReceiptTrigger(BaseTrigger):
    """Fires when the LIMS waits for none of the samples any more.

    One look takes as many requests as the samples that the LIMS still waits for have pages, and not one a sample.

    Args:
        service_requests: numbers of the service requests; without any, every sample that the LIMS waits for.
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.
    """

    def __init__(self, service_requests: Sequence[str], lims_conn_id: str, interval: float) -> None:
        super().__init__()
        self.service_requests = list(service_requests)
        self.lims_conn_id = lims_conn_id
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes the trigger of; the path is spelt out, whatever the module is called."""
        arguments = {
            "service_requests": self.service_requests,
            "lims_conn_id": self.lims_conn_id,
            "interval": self.interval,
        }
        return "triggers.receipt.SampleReceiptTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; an error that another look can't mend ends the wait and is told to the task."""
        from hooks.lims import LIMSHook

        try:
            async with cast("LIMSClient", await LIMSHook(self.lims_conn_id).aget_client()) as lims:
                while pause := await self._look(lims):  # noqa: ASYNC110 - the LIMS tells nobody, it must be asked
                    await asyncio.sleep(pause)
        except IntegrationError as error:
            yield TriggerEvent({"received": False, "code": error.code, "reason": str(error)})
        else:
            yield TriggerEvent({"received": True})

    async def _look(self, lims: LIMSClient) -> float:
        """Return the seconds until the next look, 0 when nothing is waited for any more."""
        try:
            waiting = await awaited(lims, self.service_requests)
        except IntegrationError as error:
            if error.action not in AGAIN:
                raise
            self.log.warning("the LIMS can't be asked now, the next look follows: %s", error)
            return max(self.interval, error.retry_after if isinstance(error, RateLimited) else 0.0)
        self.log.info("%d samples are still to arrive", len(waiting))
        return self.interval if waiting else 0.0


async def awaited(lims: LIMSClient, service_requests: Collection[str]) -> list[str]:
    """Return the ids of the samples that the LIMS still waits for.

    Args:
        lims: where they are.
        service_requests: numbers of the service requests; all where there are none.
    """
    word = lims.contract.vocabularies["receipt"].to_external["AWAITED"]
    return [
        str(sample["id"])
        for sample in await lims.asamples(status=word)
        if not service_requests or sample["project_id"] in service_requests
    ]
