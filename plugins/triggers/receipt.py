"""Waits until samples have arrived in the laboratory: one trigger watches all samples of a task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.integrations.receipt import Receipt
from triggers.lims_watch import LimsWatch

if TYPE_CHECKING:
    from pv_testing.integrations import LIMSClient


class SampleReceiptTrigger(LimsWatch):
    """Fires when the LIMS shows each sample as received.

    One look takes as many requests as the samples that the LIMS still waits for have pages, and not one a sample; only
    the last look, when the listing shows none any more, reads each sample by its id.

    Args:
        service_requests: numbers of the service requests; without any, every sample that the LIMS waits for.
        lims_conn_id: the connection of the LIMS.
        interval: seconds between two looks.
    """

    still = "samples are still to arrive"

    def __init__(self, service_requests: Sequence[str], lims_conn_id: str, interval: float) -> None:
        super().__init__(lims_conn_id, interval)
        self.service_requests = list(service_requests)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; the path is written out, as the module may have another name."""
        return "triggers.receipt.SampleReceiptTrigger", self.arguments(service_requests=self.service_requests)

    async def waiting(self, lims: LIMSClient) -> list[str]:
        """Return the ids of the samples that haven't arrived yet."""
        return await awaited(lims, self.service_requests)


async def awaited(lims: LIMSClient, service_requests: Collection[str]) -> list[str]:
    """Return the ids of the samples that haven't arrived yet.

    Where the listing shows none of the service requests as awaited any more, each of their samples is read by its id:
    only that state is a receipt. A service request without samples has received none.

    Args:
        lims: the client of the LIMS that has them.
        service_requests: numbers of the service requests; without any, all samples that the LIMS lists as awaited.
    """
    word = lims.contract.vocabulary("receipt").to_external["AWAITED"]
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
