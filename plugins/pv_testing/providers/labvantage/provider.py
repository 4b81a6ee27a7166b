"""The provider: the tests and data sets of samples, read and added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestProvider
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
        from pv_testing.providers.labvantage.samples import SampleOperation
        from pv_testing.providers.labvantage.statuses import StatusOperation

        steps: dict[str, type[LabVantageOperation]] = {
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


class LabVantageOperation(SteppedOperation):
    """An operation of several steps.

    Args:
        provider: who speaks to LabVantage.
        spec: the contract's operation.
    """

    def __init__(self, provider: LabVantageProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self._provider = provider
