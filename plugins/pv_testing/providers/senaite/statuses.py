"""Statuses: a transition where there is one, and plain words where the state comes from the analyses."""

from __future__ import annotations

from pv_testing.contracts.model import OperationSpec
from pv_testing.errors import AmbiguousOutcome, Conflict, NotFound, ResponseError
from pv_testing.exchange.types import Found, Prepared, Reply, Verdict
from pv_testing.providers.senaite.provider import SenaiteProvider
from pv_testing.providers.stepped import SteppedOperation


class StatusOperation(SteppedOperation):
    """Moves samples on.

    Args:
        provider: who speaks to SENAITE.
        spec: the contract's operation.
    """

    def __init__(self, provider: SenaiteProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider
        self._transitions = provider.contract.vocabularies["transitions"].to_external

    async def bring(self, item: Prepared) -> Reply:
        """Bring a sample into a state; one that is there already, or beyond, is left alone."""
        sample = await self._sample(item)
        if sample.in_effect:
            return Reply(Verdict.OK, sample.external_id, body=sample.body)
        wanted = str(item.payload["review_state"])
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

    async def _sample(self, item: Prepared) -> Found:
        found = (await super().find([item]) or {}).get(item.key)
        if found is not None and found.unclear:
            raise ResponseError(found.unclear, key=item.key, code="FILTER_IGNORED")
        if found is None:
            raise NotFound(f"SENAITE has no sample {item.payload['id']}", key=item.key, code="SAMPLE_GONE")
        return found


def _fields(item: Prepared) -> dict[str, str]:
    """Return what is written beside the transition; a state can't be written."""
    return {name: value for name, value in item.payload.items() if name != "review_state"}
