"""The provider: the tests and data sets of samples, read and added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import NO_ID, RestProvider
from pv_testing.providers.stepped import SteppedOperation

Row = Mapping[str, Any]
ADDRESS = ("paramlistid", "paramlistversionid", "variantid", "dataset")
"""The columns that name a data set within its sample."""
SEPARATOR = ";"
"""Stands between the values of a list, in the properties of an action."""


class LabVantageProvider(RestProvider):
    """Speaks to LabVantage."""

    known_options: ClassVar[Mapping[str, Any]] = {
        "steps": "release",
        "version": "1",
        "variant": "1",
        "approval_step": "Approval",
        "disposition": "Approved",
    }

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine; those of several steps are Python."""
        from pv_testing.providers.labvantage.results import ResultOperation
        from pv_testing.providers.labvantage.statuses import StatusOperation

        steps: dict[str, type[SampleOperation | ResultOperation | StatusOperation]] = {
            "create_sample": SampleOperation,
            "upload_results": ResultOperation,
            "update_sample_status": StatusOperation,
        }
        spec = self.contract.operation(name)
        return steps[name](self, spec) if name in steps else super().operation(name)

    def option(self, name: str) -> str:
        """Return an option of the configuration."""
        return str(self.config.options.get(name, self.known_options[name]))

    async def data_sets(self, sample: str) -> list[Row]:
        """Return the data sets of a sample, those of every test."""
        return await self._rows("get_data_sets", "datasets", sample)

    async def missing_tests(self, sample: str, tests: Iterable[str]) -> list[str]:
        """Return those of some test methods of which the sample has no test."""
        wanted = list(dict.fromkeys(map(str, tests)))
        there = {row.get("workitemid") for row in await self._rows("get_tests", "tests", sample)} if wanted else ()
        return [test for test in wanted if test not in there]

    async def add_tests(self, sample: str, tests: Iterable[str], key: str) -> None:
        """Add the tests that a sample lacks, with their data sets, by one action; look for them before and after.

        Raises:
            Conflict: LabVantage took the request, and doesn't show a test.
        """
        missing = await self.missing_tests(sample, tests)
        if not missing:
            return
        versions = SEPARATOR.join([self.option("version")] * len(missing))
        named = {"workitemid": SEPARATOR.join(missing), "workitemversionid": versions}
        await self.call("add_tests", **sdi(sample), **named, applyworkitem="Y", propsmatch="N")
        refused = await self.missing_tests(sample, missing)
        if refused:
            message = f"LabVantage took tests, and sample {sample} doesn't show {', '.join(refused)}"
            raise Conflict(message, key=key, code="TEST_NOT_ADDED")

    async def _rows(self, name: str, items: str, sample: str) -> list[Row]:
        answer = await self.call(name, sample_id=sample)
        rows = answer.get(items) if isinstance(answer, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            message = f"the answer has no list {items}; does the RESTPolicy enable it for samples?"
            raise ResponseError(message, operation=name, code=Reason.NO_LIST, excerpt=str(answer))
        return rows


def sdi(sample: str) -> dict[str, str]:
    """Return the properties by which an action knows a sample."""
    return {"sdcid": "Sample", "keyid1": sample}


def address(row: Row) -> dict[str, str]:
    """Return the properties by which an action knows a data set of a sample."""
    return {name: str(row.get(name, "")) for name in ADDRESS}


class SampleOperation(SteppedOperation):
    """Creates samples, and adds the tests of their protocols.

    Args:
        provider: who speaks to LabVantage.
        spec: the contract's operation.
    """

    def __init__(self, provider: LabVantageProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider

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
