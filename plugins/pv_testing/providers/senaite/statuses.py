"""Statuses: a transition where there is one, and plain words where the state comes from the analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import AmbiguousOutcome, Conflict, NotFound, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.senaite.provider import SenaiteProvider
from pv_testing.providers.senaite.samples import active_copies, registered, require_single
from pv_testing.providers.stepped import SteppedOperation

CANCELLED = "cancelled"


class SampleStatusOperation(SteppedOperation):
    """Moves samples on.

    Args:
        provider: who speaks to SENAITE.
        spec: the contract's operation.
    """

    def __init__(self, provider: SenaiteProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider
        self._transitions = provider.contract.vocabularies["transitions"].to_external

    async def perform(self, item: Prepared) -> Reply:
        """Bring a sample into a state; one that is there already, or beyond, is left alone."""
        sample = await self._sample(item)
        wanted = str(item.payload["review_state"])
        if wanted != CANCELLED:
            require_single(sample.copies)
        if sample.in_effect:
            return Reply(Verdict.OK, sample.external_id, body=sample.body)
        transition = self._transitions.get(wanted)
        if transition is None:
            message = f"the sample is {sample.body['review_state']}; SENAITE makes it {wanted} by itself, " + (
                "when a second person has verified its results" if wanted == "verified" else "when its results are in"
            )
            raise Conflict(message, key=item.key, code="NOT_OURS")
        try:
            await self._provider.write(self.name, item.key, **_fields(item), transition=transition)
        except Conflict:
            sample = await self._sample(item)
            if not sample.in_effect:
                raise
        else:
            sample = await self._sample(item)
        if not sample.in_effect:
            raise AmbiguousOutcome(f"SENAITE took {transition}, but the sample is {sample.body['review_state']}")
        return Reply(Verdict.OK, sample.external_id, body=sample.body)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look samples up by UID, and count the samples under the same business key.

        A request that SENAITE has finished long after it was given up has made a second sample. The laboratory may
        receive that one, so that one must be cancelled before either counts.
        """
        found = await super().find(batch) or {}
        keys = {key: str(each.body.get("getClientSampleID") or "") for key, each in found.items()}
        there = await registered(self._provider, sorted({*keys.values()} - {""}))
        counted: dict[str, Found] = {}
        for key, each in found.items():
            samples = there.get(keys[key])
            copies = active_copies(samples) if samples else 1
            counted[key] = each._replace(copies=max(1, copies))
        return counted

    async def _sample(self, item: Prepared) -> Found:
        found = (await self.find([item])).get(item.key)
        if found is not None and found.unclear:
            raise ResponseError(found.unclear, key=item.key, code=Reason.FILTER_IGNORED)
        if found is None:
            raise NotFound(f"SENAITE has no sample {item.payload['id']}", key=item.key, code=Reason.SAMPLE_GONE)
        return found


def _fields(item: Prepared) -> dict[str, str]:
    """Return the fields that are written with the transition; a state can't be written."""
    return {name: value for name, value in item.payload.items() if name != "review_state"}
