"""Result sets: a data set is taken for an execution, filled and marked; after a kill it goes on from any step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pv_testing.core.errors import Conflict, MappingError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers.labvantage.provider import SEPARATOR, LabVantageOperation, Row, address, sdi

FREE, CLOSED = "Initial", frozenset({"Released", "Completed", "Cancelled"})
SHOWN = 16
"""Characters of the checksum that marks a version."""


class ResultOperation(LabVantageOperation):
    """Uploads result sets."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a result set; actions take lists with semicolons, so that no value may hold one.

        Raises:
            MappingError: a value holds a semicolon, or one parameter comes twice.
        """
        payload = super().prepare(record)
        parameters = [each["paramid"] for each in payload["items"]]
        if len(set(parameters)) < len(parameters):
            raise MappingError("a parameter comes twice in one execution", key=record.key, code="PARAMETER_TWICE")
        for each in (payload, *payload["items"]):
            held = [name for name, value in each.items() if isinstance(value, str) and SEPARATOR in value]
            if held:
                message = f"{held[0]} holds a semicolon, at which LabVantage would take it apart"
                raise MappingError(message, key=record.key, code="SEMICOLON")
        return payload

    async def perform(self, item: Prepared) -> Reply:
        """Take a data set of the protocol's test, enter the values, and mark the version when all are in."""
        sample, call = str(item.payload["keyid1"]), self._provider.call
        row = await self._taken(item, sample)
        if row.get("s_datasetstatus") in CLOSED:
            message = f"the data set is {row['s_datasetstatus']} in LabVantage; unrelease it there, then release"
            raise Conflict(message, key=item.key, code="DATA_SET_CLOSED")
        there = {**sdi(sample), **address(row)}
        items = item.payload["items"]
        await call("enter_data", **there, params=str(len(items)), **_numbered(items))
        await call("edit_data_items", **_listed(there, items))
        marks = {name: item.payload[name] for name in ("completeddt", "analyst")}
        await call("edit_data_set", **there, **marks, sourceversion=_version(item))
        return Reply(Verdict.OK, _id(sample, row), body={"sample": sample, **address(row)})

    async def _taken(self, item: Prepared, sample: str) -> Row:
        """Return the execution's data set; a free one becomes it, and one is added only where none is free.

        One whose addition got no answer is free the next time, so that none is added twice.
        """
        execution = item.payload["externalreference"]
        rows = await self._provider.data_sets(sample)
        ours = _of(rows, execution)
        if not ours:
            for row in await self._free(item, sample, rows):
                await self._provider.call("edit_data_set", **sdi(sample), **address(row), externalreference=execution)
            ours = _of(await self._provider.data_sets(sample), execution)
        if len(ours) != 1:
            message = f"sample {sample} has {len(ours)} data sets for execution {execution}; leave it one, then release"
            raise Conflict(message, key=item.key, code=Reason.DUPLICATE_IN_SYSTEM if ours else "DATA_SET_MISSING")
        return ours[0]

    async def _free(self, item: Prepared, sample: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the first data set of the protocol that belongs to no execution; add the test or one where needed."""
        protocol = str(item.payload["paramlistid"])
        if not any(row.get("paramlistid") == protocol for row in rows):
            await self._provider.add_tests(sample, [protocol], item.key)
            rows = await self._provider.data_sets(sample)
        if not _free(rows, protocol):
            version = {"paramlistversionid": self._provider.option("version")}
            named = {"paramlistid": protocol, **version, "variantid": self._provider.option("variant")}
            await self._provider.call("add_data_set", **sdi(sample), **named, propsmatch="Y")
            rows = await self._provider.data_sets(sample)
        return _free(rows, protocol)[:1]

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look result sets up among the data sets of their samples; the mark says which version is all in."""
        found: dict[str, Found] = {}
        for item in batch:
            sample, execution = str(item.payload["keyid1"]), item.payload["externalreference"]
            ours = _of(await self._provider.data_sets(sample), execution)
            if ours:
                in_effect = ours[0].get("sourceversion") == _version(item)
                found[item.key] = Found(_id(sample, ours[0]), in_effect=in_effect, body=ours[0], copies=len(ours))
        return found


def _of(rows: Sequence[Row], execution: str) -> list[Row]:
    """Return the data sets of an execution."""
    return [row for row in rows if row.get("externalreference") == execution]


def _free(rows: Sequence[Row], protocol: str) -> list[Row]:
    """Return the data sets of a protocol that belong to no execution yet."""
    of_protocol = [row for row in rows if row.get("paramlistid") == protocol and row.get("s_datasetstatus") == FREE]
    return [row for row in of_protocol if not row.get("externalreference")]


def _id(sample: str, row: Row) -> str:
    return "/".join((sample, *address(row).values()))


def _version(item: Prepared) -> str:
    return fingerprint(item.payload)[:SHOWN]


def _numbered(items: Sequence[Row]) -> dict[str, str]:
    """Return values as EnterDataSet takes them: each in properties with its number."""
    numbered: dict[str, str] = {}
    for number, each in enumerate(items, start=1):
        named = {"paramid": each["paramid"], "paramtype": "Standard", "replicateid": "1"}
        for name, value in {**named, "enteredtext": each["enteredtext"]}.items():
            numbered[f"{name}{number}"] = str(value)
    return numbered


def _listed(there: Mapping[str, str], items: Sequence[Row]) -> dict[str, str]:
    """Return what else is known of values as EditDataItem takes it: lists with semicolons, of equal lengths."""
    same = {**there, "paramtype": "Standard", "replicateid": "1"}
    repeated = {name: SEPARATOR.join([value] * len(items)) for name, value in same.items() if name != "sdcid"}
    names = ("paramid", "uncertainty", "condition")
    lists = {name: SEPARATOR.join(str(row.get(name, "")) for row in items) for name in names}
    return {"sdcid": there["sdcid"], **repeated, **lists, "propsmatch": "Y"}
