"""Statuses: never written, but reached by receipt, release, approval and review, as far as these are ours to do."""

from __future__ import annotations

from collections.abc import Sequence

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.labvantage.provider import LabVantageOperation, LabVantageProvider, Row, address, sdi

STATUS = "s_datasetstatus"
ENTERED, RELEASED, COMPLETED = "DataEntered", "Released", "Completed"
RECEIVED, REVIEWED = "Received", "Reviewed"
REACHED_BY = {
    RECEIVED: "when a person receives it",
    "InProgress": "when the first data are entered",
    COMPLETED: "when all data are released and approved",
    REVIEWED: "when a person reviews it",
}


class StatusOperation(LabVantageOperation):
    """Moves samples on.

    Args:
        provider: who speaks to LabVantage.
        spec: the contract's operation.
    """

    def __init__(self, provider: LabVantageProvider, spec: OperationSpec) -> None:
        super().__init__(provider, spec)
        self._steps = frozenset(provider.option("steps").split())

    async def perform(self, item: Prepared) -> Reply:
        """Take the steps from which the status follows, and look at what has followed."""
        sample, wanted = str(item.payload["keyid1"]), str(item.payload["samplestatus"])
        found = await self._sample(item)
        if not found.in_effect and found.body.get("samplestatus") in REACHED_BY.keys() | {"Initial"}:
            await self._toward(item, sample, wanted)
            found = await self._sample(item)
        if not found.in_effect:
            now = found.body.get("samplestatus")
            reason = REACHED_BY.get(wanted, "by a step that this project doesn't know")
            message = f"the sample is {now}; LabVantage makes it {wanted} {reason}"
            raise Conflict(message, key=item.key, code="NOT_OURS")
        return Reply(Verdict.OK, found.external_id, body=found.body)

    async def _toward(self, item: Prepared, sample: str, wanted: str) -> None:
        """Take the steps that are due, of those that the option ``steps`` allows."""
        if wanted == RECEIVED:
            await self._act("receive", "receive_sample", sample)
        if wanted in {COMPLETED, REVIEWED}:
            await self._each(sample, ENTERED, "release", "release_data_set")
            passed = {"approvalstep": self._provider.option("approval_step"), "approvalflag": "P"}
            await self._each(sample, RELEASED, "approve", "approve_data_set", **passed)
        if wanted == REVIEWED and (await self._sample(item)).body.get("samplestatus") == COMPLETED:
            await self._act("review", "review_sample", sample, disposition=self._provider.option("disposition"))

    async def _each(self, sample: str, status: str, step: str, call: str, **properties: str) -> None:
        """Take a step with each data set that is at its turn."""
        due: Sequence[Row] = await self._provider.data_sets(sample) if step in self._steps else ()
        for row in due:
            if row.get(STATUS) == status:
                await self._act(step, call, sample, **address(row), **properties)

    async def _act(self, step: str, call: str, sample: str, **properties: str) -> None:
        if step in self._steps:
            await self._provider.call(call, **sdi(sample), **properties)

    async def _sample(self, item: Prepared) -> Found:
        found = (await self.find([item]) or {}).get(item.key)
        if found is None or found.unclear:
            message = f"LabVantage doesn't show sample {item.payload['keyid1']}"
            raise NotFound(message, key=item.key, code=Reason.SAMPLE_GONE)
        return found
