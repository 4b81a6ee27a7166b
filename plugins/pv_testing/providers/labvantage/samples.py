"""Samples: created once, found by their external reference, and given the tests that they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.labvantage.provider import LabVantageOperation
from pv_testing.providers.replies import NO_ID


class SampleOperation(LabVantageOperation):
    """Creates samples, and adds the tests of their protocols."""

    async def perform(self, item: Prepared) -> Reply:
        """Create or change a sample, then add what tests it lacks."""
        if self.lacks_id(item):
            return NO_ID
        reply = await self._as_mapped(item)
        if reply.verdict is Verdict.OK:
            await self._provider.add_tests(item.external_id, item.payload.get("tests") or (), item.key)
        return reply

    async def _as_mapped(self, item: Prepared) -> Reply:
        """Create or change a sample; one that only lacks tests is left as it is."""
        there = (await super().find([item]) or {}).get(item.key) if item.external_id else None
        if there is not None and there.in_effect:
            return Reply(Verdict.OK, item.external_id)
        return await self.step(item)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found] | None:
        """Look samples up; one that lacks a test is there, but not yet as it is wanted."""
        found = dict(await super().find(batch) or {})
        for item in batch:
            each = found.get(item.key)
            if each is not None and each.in_effect:
                missing = await self._provider.missing_tests(each.external_id, item.payload.get("tests") or ())
                found[item.key] = each._replace(in_effect=not missing)
        return found
