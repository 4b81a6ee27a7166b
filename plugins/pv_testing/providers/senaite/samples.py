"""Samples: registered once, found by their business key, and given the analyses that they need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.replies import NO_ID
from pv_testing.providers.senaite.analyses import Analyses
from pv_testing.providers.senaite.provider import SenaiteProvider
from pv_testing.providers.senaite.setup import SenaiteSetup
from pv_testing.providers.stepped import SteppedOperation
from pv_testing.providers.unasked import with_unclear

KEYS = 50
INACTIVE = frozenset({"cancelled", "invalid", "rejected"})


class SampleOperation(SteppedOperation):
    """Registers samples.

    Args:
        provider: who speaks to SENAITE.
        spec: the contract's operation.
    """

    def __init__(self, provider: SenaiteProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider
        self._setup = SenaiteSetup(provider)
        self._analyses = Analyses(provider, self._setup)
        self._keywords: dict[str, list[str]] = defaultdict(list)
        for name, keyword in provider.contract.vocabularies["analytes"].to_external.items():
            self._keywords[name.partition("/")[0]].append(keyword)

    def prepare(self, record: Record) -> Payload:
        """Map and validate a sample; the analyses of its protocols are ordered with it, where those are known."""
        payload = super().prepare(record)
        ordered: list[str] = []
        for protocol in record.data.get("protocols") or ():
            ordered += self._keywords.get(str(protocol), ())
        return {**payload, "Analyses": ordered} if ordered else payload

    async def perform(self, item: Prepared) -> Reply:
        """Register a sample, or order what a registered one lacks."""
        if self.lacks_id(item):
            return NO_ID
        return await (self._extend(item) if item.external_id else self._register(item))

    async def _register(self, item: Prepared) -> Reply:
        payload = item.payload
        client = await self._setup.client(str(payload["client"]))
        names = {
            "client": client,
            "Contact": await self._setup.contact(client),
            "SampleType": await self._setup.sample_type(str(payload["SampleType"])),
            "DateSampled": datetime.now(timezone.utc).date().isoformat(),
            "Analyses": await self._setup.services(payload.get("Analyses", ())),
        }
        async with self._provider.explained(item.key):
            reply = await self._send_one(replace(item, payload={**payload, **names}))
        if item.absent and reply.verdict is Verdict.OK and await self._is_double(item):
            return Reply(
                Verdict.AMBIGUOUS,
                code=Reason.DUPLICATE_IN_SYSTEM,
                reason="an earlier request has taken effect after all",
            )
        return reply

    async def _is_double(self, item: Prepared) -> bool:
        """Say whether a request that had been given up has registered the sample, too, while it was sent again."""
        found = (await self.find([item])).get(item.key)
        return found is not None and found.copies > 1

    async def _extend(self, item: Prepared) -> Reply:
        """Order the analyses that a registered sample lacks; its client and type are not ours to change."""
        found = (await self.find([item])).get(item.key)
        if found is not None and found.unclear:
            raise ResponseError(found.unclear, key=item.key, code=Reason.FILTER_IGNORED)
        if found is None:
            raise Conflict("SENAITE doesn't have the sample any more", key=item.key, code=Reason.SAMPLE_GONE)
        different = list(_differences(item.payload, found.body))
        if different:
            message = f"the sample is registered with {', '.join(different)}; correct it in SENAITE or in the framework"
            raise Conflict(message, key=item.key, code="SAMPLE_DIFFERS")
        await self._analyses.order(found.external_id, item.payload.get("Analyses", ()), item.key)
        return Reply(Verdict.OK, found.external_id, body=found.body)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look samples up by Client Sample ID, many in one request.

        A sample that has been cancelled is found as well: the laboratory meant it, and it isn't made anew.
        """
        by_key = await registered(self._provider, [item.key for item in batch])
        found: dict[str, Found] = {}
        for item in batch:
            if item.key in by_key:
                found[item.key] = await self._judged(item, by_key[item.key])
        return with_unclear(found, {item.key: item.key for item in batch}, by_key)

    async def _judged(self, item: Prepared, samples: Sequence[Mapping[str, Any]]) -> Found:
        active = [sample for sample in samples if is_active(sample)]
        sample = (active or samples)[-1]
        uid = ids.of_found(sample["uid"], item.key)
        in_effect = not any(_differences(item.payload, sample)) and (
            not active or not await self._analyses.missing(uid, item.payload.get("Analyses", ()))
        )
        return Found(uid, in_effect=in_effect, body=sample, copies=max(1, len(active)))


async def registered(provider: SenaiteProvider, keys: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the samples under business keys, cancelled ones too; nothing in SENAITE keeps a key unique.

    Where SENAITE ignores the keys, others come as well.

    Args:
        provider: who speaks to SENAITE.
        keys: the business keys; many are asked for in one request.
    """
    by_key: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for start in range(0, len(keys), KEYS):
        for sample in await provider.search("get_samples", key=list(keys[start : start + KEYS])):
            by_key[str(sample.get("getClientSampleID"))].append(sample)
    return dict(by_key)


def active_copies(samples: Iterable[Mapping[str, Any]]) -> int:
    """Return how many samples under one business key count."""
    return sum(map(is_active, samples))


def require_single(copies: int) -> None:
    """Make sure that nothing is done to a sample that is there twice before a person has said which one counts.

    Raises:
        Conflict: there are more samples under its business key.
    """
    if copies > 1:
        message = f"SENAITE has {copies} active samples with this Client Sample ID; cancel all but one, then release"
        raise Conflict(message, code=Reason.DUPLICATE_IN_SYSTEM)


def is_active(sample: Mapping[str, Any]) -> bool:
    """Say whether a sample counts: it is in use, and no partition, which has the key of the sample it is part of."""
    return sample["review_state"] not in INACTIVE and not sample.get("getRawParentAnalysisRequest")


def _differences(payload: Payload, sample: Mapping[str, Any]) -> Iterable[str]:
    """Give a text for each field in which a sample differs from the record."""
    for ours, theirs in (("client", "getClientTitle"), ("SampleType", "getSampleTypeTitle")):
        if payload[ours] != sample.get(theirs):
            yield f"{sample.get(theirs)} instead of {payload[ours]}"
