"""ERPNext: what its contract can't say: a listing lacks the lines, and a return has negative quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import orjson

from pv_testing.contracts.model import Find
from pv_testing.contracts.request_template import Request
from pv_testing.core.records import Prepared
from pv_testing.providers.drafting.documents import Document
from pv_testing.providers.drafting.provider import DraftingProvider
from pv_testing.providers.drafting.steps import DocumentOperation, DraftOperation, Rows

INVOICES = "/api/resource/Sales%20Invoice/"
STATES: Mapping[str, list[list[Any]]] = {
    "DRAFT": [["docstatus", "=", 0]],
    "POSTED": [["docstatus", "=", 1], ["outstanding_amount", ">", 0]],
    "PAID": [["status", "=", "Paid"]],
    "CANCELLED": [["docstatus", "=", 2]],
}


class ErpNextProvider(DraftingProvider):
    """Speaks to ERPNext; ``modified`` is the version by which it refuses a change over another one."""

    version: ClassVar[str] = "modified"

    async def look_up(
        self, operation: DocumentOperation, request: Request, find: Find, key: str, most: int | None
    ) -> Rows:
        """Return the invoices that a look-up finds, each read with its lines."""
        rows = []
        for row in await operation.by_contract(request, find, key, most):
            whole = row if "items" in row else await self._whole(operation, str(row["name"]), key)
            rows.append(_turned(whole) if operation.kind == "credit_note" else whole)
        return rows

    async def _whole(self, operation: DocumentOperation, name: str, key: str) -> Mapping[str, Any]:
        path = INVOICES + quote(name, safe="")
        response = await self.session.request("GET", path, operation=f"{operation.name} (look-up)", key=key)
        whole: Mapping[str, Any] = response.json()["data"]
        return whole

    async def create(self, operation: DraftOperation, item: Prepared) -> None:
        """Make a draft."""
        request = _signed(operation, operation.request(item))
        await operation.write(request, item, spec=self.contract.operation(operation.name))

    async def change(self, operation: DraftOperation, item: Prepared, there: Document) -> None:
        """Write a record into a draft: its lines are replaced."""
        await operation.write(_signed(operation, operation.request(item, there)), item, there)

    def filter(self, name: str, criteria: Mapping[str, str]) -> str:
        """Return Frappe's filters, as JSON."""
        filters: list[list[Any]] = [["is_return", "=", 0]] if name == "get_invoices" else []
        for criterion, value in criteria.items():
            filters += STATES[value] if criterion == "status" else [[self.field(name, criterion), "=", value]]
        return orjson.dumps(filters).decode()


def _signed(operation: DraftOperation, request: Request) -> Request:
    """Return a request with negative quantities, where it is of a return."""
    return request._replace(body=_turned(request.body)) if operation.kind == "credit_note" else request


def _turned(invoice: Mapping[str, Any]) -> dict[str, Any]:
    """Return an invoice with the quantities of its lines turned from what is given back into a return's, or back."""
    return {**invoice, "items": [{**line, "qty": -line["qty"]} for line in invoice["items"]]}
