"""Result sets: each result into its analysis, step by step, and from any point on after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import AmbiguousOutcome, Conflict, MappingError, NotFound
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers.senaite.analyses import Analyses
from pv_testing.providers.senaite.provider import AWAITED, SenaiteProvider, only
from pv_testing.providers.senaite.samples import INACTIVE, active_copies, registered, require_single
from pv_testing.providers.senaite.setup import SenaiteSetup
from pv_testing.providers.senaite.versions import HELD, Wanted, plan
from pv_testing.providers.stepped import SteppedOperation


class ResultOperation(SteppedOperation):
    """Uploads result sets.

    Args:
        provider: who speaks to SENAITE.
        spec: the contract's operation.
    """

    def __init__(self, provider: SenaiteProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider
        self._analyses = Analyses(provider, SenaiteSetup(provider))
        self._keywords = provider.contract.vocabularies["analytes"].to_external

    def prepare(self, record: Record) -> Payload:
        """Map and validate a result set; every quantity must have an analysis of its own.

        Raises:
            MappingError: the contract names no keyword for a quantity, or one quantity comes twice.
        """
        payload = super().prepare(record)
        keywords: set[str] = set()
        for measurement in payload["measurements"]:
            name = f"{payload['protocol']}/{measurement['parameter']}"
            keyword = self._keywords.get(name)
            if keyword is None:
                message = f"the contract names no analysis for {name}; write its keyword under vocabularies.analytes"
                raise MappingError(message, code="ANALYTE_UNKNOWN")
            if keyword in keywords:
                raise MappingError(f"{name} comes twice in one execution", code="ANALYTE_TWICE")
            keywords.add(keyword)
            measurement["Keyword"] = keyword
        return payload

    async def perform(self, item: Prepared) -> Reply:
        """Order, retract and submit until nothing is left to do."""
        sample, wanted = str(item.payload["sample"]), results(item.payload)
        await self._ready(sample)
        todo = plan(await self._analyses.of(sample), wanted, item.key)
        if todo.order:
            await self._analyses.order(sample, todo.order, item.key)
        for analysis in todo.retract:
            await self._provider.write("retract_result", item.key, uid=analysis["uid"], transition="retract")
        if todo.order or todo.retract:
            todo = plan(await self._analyses.of(sample), wanted, item.key)
        for result, analysis in todo.submit:
            await self._submit(item, result, analysis)
        return Reply(Verdict.OK, _external_id(item), body={"sample": sample, "analyses": len(wanted)})

    async def _submit(self, item: Prepared, result: Wanted, analysis: Mapping[str, Any]) -> None:
        remarks = result.marked(item.key, item.revision)
        submitted = await self._provider.write(
            "submit_result", item.key, uid=analysis["uid"], **result.fields, Remarks=remarks, transition="submit"
        )
        if submitted.get("review_state") not in HELD:
            message = f"SENAITE took the result of {result.keyword}, but doesn't say that it is submitted"
            raise AmbiguousOutcome(message, key=item.key)

    async def _ready(self, sample: str) -> None:
        """Make sure that the sample takes results, and that it is the only one of its business key."""
        samples = only(await self._provider.search("get_samples", id=sample), uid=sample)
        if not samples:
            raise NotFound(f"SENAITE has no sample {sample}", code=Reason.SAMPLE_GONE)
        state, key = samples[0]["review_state"], str(samples[0].get("getClientSampleID") or "")
        if state in AWAITED:
            message = f"the sample is {state}: receive it in SENAITE, then release the results"
            raise Conflict(message, code="NOT_RECEIVED")
        if state in INACTIVE:
            raise Conflict(f"the sample is {state} in SENAITE", code=Reason.SAMPLE_GONE)
        if key:
            require_single(active_copies((await registered(self._provider, [key])).get(key, ())))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Say which result sets are in effect: those of which every analysis holds this very version."""
        found: dict[str, Found] = {}
        for item in batch:
            analyses = await self._analyses.of(str(item.payload["sample"]))
            try:
                in_effect = plan(analyses, results(item.payload), item.key).done
            except Conflict:
                in_effect = False
            if in_effect:
                found[item.key] = Found(_external_id(item))
        return found


def results(payload: Payload) -> list[Wanted]:
    """Return a mapped result set as one wanted result an analysis."""
    seen = f"{payload['completed_at']}, {payload['operator']}"
    return [_wanted(measurement, seen) for measurement in payload["measurements"]]


def _wanted(measurement: Mapping[str, Any], seen: str) -> Wanted:
    fields = {name: str(measurement[name]) for name in ("Result", "Uncertainty") if name in measurement}
    unit = str(measurement.get("Unit") or "")
    return Wanted(measurement["Keyword"], fields, unit, remarks=f"{measurement['verdict']}, {seen}")


def _external_id(item: Prepared) -> str:
    """SENAITE has no object for a result set; its sample and its execution name it."""
    return f"{item.payload['sample']}/{item.key}"
