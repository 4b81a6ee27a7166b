"""What Business Central wants besides its contract: a change of a draft goes line by line, each with its ETag."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, ClassVar

from pv_testing.contracts.request_template import Request
from pv_testing.core.records import Prepared
from pv_testing.providers.drafting.documents import Document
from pv_testing.providers.drafting.odata import equal
from pv_testing.providers.drafting.provider import DraftingProvider
from pv_testing.providers.drafting.steps import DraftOperation

Line = Mapping[str, Any]


class BusinessCentralProvider(DraftingProvider):
    """Speaks to Business Central by its API v2.0."""

    etag: ClassVar[str] = "@odata.etag"

    def filter(self, name: str, criteria: Mapping[str, str]) -> str:
        """Return the OData expression for criteria."""
        values = dict(criteria)
        if "status" in values:
            values["status"] = self.contract.vocabularies["invoice_status"].write(values["status"])
        return equal({self.field(name, criterion): value for criterion, value in values.items()})

    async def change(self, operation: DraftOperation, item: Prepared, there: Document) -> None:
        """Write a record into a draft: its lines one by one, as a PATCH takes none, and then its head.

        Where this ends on the way, the next attempt sees which lines still differ.
        """
        head = operation.request(item, there)
        lines = next(name for name, value in item.payload.items() if isinstance(value, list))
        for ours, theirs in zip_longest(item.payload[lines], there.row[lines]):
            await self._line(operation, item, f"{head.path}/{lines}", ours, theirs)
        now = await operation.document(item)  # each line has given the head another ETag
        body = {name: value for name, value in (head.body or {}).items() if name != lines}
        await operation.write(head._replace(body=body), item, now)

    async def _line(
        self, operation: DraftOperation, item: Prepared, path: str, ours: Line | None, theirs: Line | None
    ) -> None:
        if theirs is None:
            await operation.write(Request("POST", path, body=ours), item)
            return
        line = Document(str(theirs["id"]), "", "", {}, {}, theirs)
        address = path + self.contract.names["line_address"].replace("ID", line.id)
        if ours is None:
            await operation.write(Request("DELETE", address), item, line)
        elif any(theirs.get(name) != value for name, value in ours.items()):
            await operation.write(Request("PATCH", address, body=ours), item, line)
