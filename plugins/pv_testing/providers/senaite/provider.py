"""The provider: searches that are believed only from someone SENAITE knows, and refusals read for what they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pv_testing.core import keys
from pv_testing.core.errors import AuthenticationError, Conflict, PermissionDenied, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.exchange.operation import Operation
from pv_testing.providers.rest import RestOperation, RestProvider
from pv_testing.transports import pagination

FIELD_LOCKED = "Not allowed to set the field"
DUE = "sample_due"
# A site that plans sampling or preserves samples has more states before receipt; outside of SENAITE they count as one.
AWAITED = frozenset({"sample_registered", "to_be_sampled", "scheduled_sampling", "to_be_preserved", DUE})


class SenaiteProvider(RestProvider):
    """Speaks to SENAITE."""

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine; those of several steps are Python."""
        from pv_testing.providers.senaite.results import ResultOperation
        from pv_testing.providers.senaite.samples import SampleOperation
        from pv_testing.providers.senaite.statuses import SampleStatusOperation

        steps: dict[str, type[SampleOperation | ResultOperation | SampleStatusOperation]] = {
            "create_sample": SampleOperation,
            "upload_results": ResultOperation,
            "update_sample_status": SampleStatusOperation,
        }
        spec = self.contract.operation(name)
        return steps[name](self, spec) if name in steps else RestOperation(self.contract, spec, self.session)

    async def search(self, name: str, **criteria: Any) -> list[dict[str, Any]]:
        """Return everything that a listing of the contract finds.

        Args:
            name: the listing.
            criteria: its query in the contract's words; several values of one are alternatives.

        Raises:
            AuthenticationError: SENAITE doesn't know the caller, to whom it answers with an empty success.
            ResponseError: the listing's order changes while it is read.
        """
        pages = self.contract.operation(name).pagination or self.contract.pagination
        items = await self._read(name, criteria)
        # A stranger is shown nothing: what comes is meant for us, unless the last of several pages came empty.
        if not 0 < len(items) < pages.page_size:
            await self.identity()
        # After conflicting writes the catalogue lists one record twice. Over several pages that may as well be an order
        # that changes, which leaves out another record; read once more, only the catalogue's copies stay the same.
        by_uid = {str(item["uid"]): item for item in items}
        if len(by_uid) < len(items) and len(items) > pages.page_size:
            again = {str(item["uid"]) for item in await self._read(name, criteria)}
            if again != by_uid.keys():
                message = "the listing gives records twice, and others when it is read again; its order changes"
                raise ResponseError(message, operation=name, code=Reason.LISTED_TWICE)
        return list(by_uid.values())

    async def _read(self, name: str, criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
        spec = self.contract.operation(name)
        request = spec.call.request()
        pages = spec.pagination or self.contract.pagination
        filters = {spec.call.query[criterion].name: value for criterion, value in criteria.items()}
        items = pagination.items(
            self.session,
            request.path,
            pages,
            {**request.params, **filters},
            operation=name,
            classify=self.contract.classify(spec),
        )
        return [item async for item in items]

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing; samples are described as the generic contract describes them."""
        if name != "get_samples":
            async for item in super().listing(name, **criteria):
                yield item
            return
        wanted = {criterion: str(value) for criterion, value in criteria.items() if value not in {None, ""}}
        if "status" in wanted:
            wanted["status"] = self.contract.operation(name).call.query["status"].write(wanted["status"])
        for item in await self.search(name, **_indexed(wanted)):
            sample = described(item)
            if _has(sample, wanted):
                yield sample

    async def write(self, name: str, key: str, **arguments: Any) -> dict[str, Any]:
        """Make one writing call of the contract and return the record that SENAITE answers with."""
        async with self.explained(key):
            answer = await self.call(name, **arguments)
        items = answer.get("items") if isinstance(answer, Mapping) else None
        return dict(items[0]) if items else {}

    @asynccontextmanager
    async def explained(self, key: str) -> AsyncIterator[None]:
        """Say what a 401 means: SENAITE gives it to strangers, to users without the right, and for locked records.

        Args:
            key: the business key of the record that is written.
        """
        try:
            yield
        except AuthenticationError as error:
            who = await self.identity()
            if FIELD_LOCKED in error.excerpt:
                message = "the record's state in SENAITE doesn't allow this change"
                raise Conflict(message, key=key, code=Reason.LOCKED, excerpt=error.excerpt) from error
            message = f"SENAITE knows {who}, but gives no right to do this; see docs/how-to/senaite.md for the groups"
            raise PermissionDenied(message, key=key, excerpt=error.excerpt) from error


def _indexed(wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return what SENAITE can filter by; the rest is compared afterwards."""
    filters: dict[str, Any] = {}
    if "status" in wanted:
        filters["status"] = sorted(AWAITED) if wanted["status"] == DUE else wanted["status"]
    if "project_id" in wanted and "external_id" in wanted:
        filters["key"] = keys.compose(wanted["project_id"], wanted["external_id"])
    elif "project_id" in wanted:
        filters["words"] = f'"{wanted["project_id"]}"'
    return filters


def described(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample of the catalogue with the fields that every LIMS contract gives.

    Raises:
        ResponseError: it is not a sample of the catalogue.
    """
    if "review_state" not in item:
        raise ResponseError("the sample has no review_state; is the catalogue senaite_catalog_sample?")
    project, key = str(item.get("getClientReference") or ""), str(item.get("getClientSampleID") or "")
    return {
        **item,
        "id": item["uid"],
        "sample_id": item.get("getId") or item.get("id"),
        "project_id": project,
        "external_id": _serial_number(key, project),
        "status": DUE if item["review_state"] in AWAITED else item["review_state"],
    }


def _serial_number(key: str, project: str) -> str:
    """Return a module's serial number from the sample's key, be it escaped or entered as it is."""
    parts = keys.split(key)
    if len(parts) == 2 and parts[0] == project:
        return parts[1]
    return key.removeprefix(keys.prefix(project))


def only(items: Iterable[Mapping[str, Any]], **wanted: str) -> list[Mapping[str, Any]]:
    """Return the items that have what was asked for: SENAITE ignores filters that it doesn't know."""
    return [item for item in items if _has(item, wanted)]


def _has(item: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(item.get(name) == value for name, value in wanted.items())
