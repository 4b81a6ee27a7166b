"""Waits until samples have arrived in the laboratory: one trigger watches all samples of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from pv_testing.core.errors import Action, IntegrationError, RateLimited
from pv_testing.integrations.receipt import Receipt

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient

AGAIN = frozenset({Action.RETRY, Action.WAIT})


class SampleReceiptTrigger(BaseTrigger):
    """Fires when the LIMS shows each sample as received.

    One look takes as many requests as the samples that the LIMS still waits for have pages, and not one a sample; only
    the last look, when the listing shows none any more, reads each sample by its id.

    Args:
        service_requests: numbers of the service requests; without any, every sample that the LIMS waits for.
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.
    """

    def __init__(self, service_requests: Sequence[str], lims_conn_id: str, interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.service_requests = list(service_requests)
        self.lims_conn_id = lims_conn_id
        self.interval = interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; the path is written out, as the module may have another name."""
        arguments = {
            "service_requests": self.service_requests,
            "lims_conn_id": self.lims_conn_id,
            "interval": self.interval,
        }
        return "triggers.receipt.SampleReceiptTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all samples have arrived; an error that another look can't mend goes to the task as an event."""
        from hooks.lims import LIMSHook

        try:
            async with await LIMSHook(self.lims_conn_id).aget_client() as lims:
                while pause := await self._look(lims):  # noqa: ASYNC110 - the LIMS sends no events, it must be asked
                    await asyncio.sleep(pause)
        except IntegrationError as error:
            yield TriggerEvent({"received": False, "code": error.code, "reason": str(error)})
        else:
            yield TriggerEvent({"received": True})

    async def _look(self, lims: LIMSClient) -> float:
        """Return the seconds until the next look, 0 when all samples have arrived."""
        try:
            waiting = await awaited(lims, self.service_requests)
        except IntegrationError as error:
            if error.action not in AGAIN:
                raise
            self.log.warning("the LIMS can't be asked now, the next look follows: %s", error)
            return max(self.interval, error.retry_after if isinstance(error, RateLimited) else 0.0)
        if not waiting:
            return 0.0
        self.log.info("%d samples are still to arrive, such as %s", len(waiting), waiting[0])
        return self.interval


async def awaited(lims: LIMSClient, service_requests: Collection[str]) -> list[str]:
    """Return the ids of the samples that haven't arrived yet.

    Where the listing shows none of the service requests as awaited any more, each of their samples is read by its id:
    only that state is a receipt. A service request without samples has received none.

    Args:
        lims: the client of the LIMS that has them.
        service_requests: numbers of the service requests; without any, all samples that the LIMS lists as awaited.
    """
    word = lims.contract.vocabularies["receipt"].to_external["AWAITED"]
    samples = await lims.asample_rows(status=word)
    if not service_requests:
        return [sample.id for sample in samples]
    listed = [sample.id for sample in samples if sample.sr_number in service_requests]
    if listed:
        return listed
    missing: list[str] = []
    for number in service_requests:
        missing += await _not_received(lims, number)
    return missing


async def _not_received(lims: LIMSClient, number: str) -> list[str]:
    """Return the ids of a request's samples that the LIMS doesn't show as received."""
    ids = [sample.id for sample in await lims.asample_rows(sr_number=number)]
    receipts = await lims.areceipts({sample_id: sample_id for sample_id in ids})
    missing = [sample_id for sample_id, receipt in receipts.items() if receipt is not Receipt.RECEIVED]
    return missing if ids else [f"those of {number}"]
