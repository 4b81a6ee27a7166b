"""NetSuite: records are read one by one, as its listings give nothing but ids, and a missing one is a 404."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import NotFound
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.exchange.operation import Operation
from pv_testing.providers.drafting.provider import DraftingProvider
from pv_testing.providers.drafting.steps import DocumentOperation, Rows
from pv_testing.providers.stepped import SteppedOperation

ABSENT = "NONEXISTENT_ID"
RECORD = "/services/rest/record/v1"
APPROVALS = {"DRAFT": "1", "POSTED": "2", "PAID": "2"}
WHOLE = {"expandSubResources": "true"}


class NetSuiteProvider(DraftingProvider):
    """Speaks to NetSuite."""

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        if name == "create_customer":
            return NetSuiteCustomerOperation(self, self.contract.operation(name))
        return super().operation(name)

    async def look_up(
        self, operation: DocumentOperation, request: Request, find: Find, key: str, most: int | None
    ) -> Rows:
        """Return the record of an external id or id; none where NetSuite itself says that there is none."""
        try:
            rows = await operation.by_contract(request, find, key, most)
        except NotFound as error:
            if error.code != ABSENT:
                raise
            return []
        return [_row(row) for row in rows]

    async def rows(self, name: str, criteria: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Give the records of a listing that meet all criteria."""
        kind = "customer" if name == "get_customers" else "invoice"
        if "reference" in criteria:
            ids = [f"eid:{criteria['reference']}"]
        else:
            ids = [str(row["id"]) async for row in super().rows(name, criteria)]
        for each in ids:
            row = await self.read(kind, each, name)
            if row is not None:
                yield row if kind == "customer" else _row(row)

    async def read(self, kind: str, identity: str, operation: str) -> Mapping[str, Any] | None:
        """Return a record; ``None`` where there is none."""
        path = self.contract.operation("get_invoice").call.path.url({"invoice_id": identity}, {})
        try:
            response = await self.session.request(
                "GET", path.replace("/invoice/", f"/{kind}/"), params=WHOLE, operation=operation,
                classify=self.contract.classify("get_invoice"),
            )  # fmt: skip
        except NotFound as error:
            if error.code != ABSENT:
                raise
            return None
        row: Mapping[str, Any] = response.json()
        return row

    def filter(self, name: str, criteria: Mapping[str, str]) -> str:
        """Return the expression of ``q``."""
        terms = []
        for criterion, value in criteria.items():
            if criterion == "status":
                terms.append(f"approvalStatus ANY_OF [{APPROVALS[value]}]")
            elif criterion in {"customer_id", "id"}:
                terms.append(f"{'entity' if criterion == 'customer_id' else 'id'} ANY_OF [{int(value)}]")
            else:
                quoted = value.replace("\\", "\\\\").replace('"', '\\"')
                terms.append(f'{self.field(name, criterion)} IS "{quoted}"')
        return " AND ".join(terms)


class NetSuiteCustomerOperation(SteppedOperation):
    """Makes customers, found by name; the answer to a creation has no body.

    Args:
        provider: who speaks to NetSuite.
        spec: the contract's operation.
    """

    def __init__(self, provider: NetSuiteProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.netsuite = provider

    async def perform(self, item: Prepared) -> Reply:
        """Make a customer; its id is the last part of the address that NetSuite gives."""
        request = self._spec.call.request(item.payload, self._context(item))
        response = await self._exchange(request, item.key, self._classify)
        identity = response.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        return Reply(Verdict.OK, identity, body={"id": identity, "name": item.payload["companyName"]})

    async def _looked_up(self, request: Request, find: Find, key: str, most: int | None) -> Sequence[Mapping[str, Any]]:
        rows = []
        for row in await super()._looked_up(request, find, key, most):
            whole = await self.netsuite.read("customer", str(row["id"]), self.name)
            rows += [whole] if whole is not None else []
        return rows


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a transaction with one word for its state, and with items by the name that is their external id, too."""
    approval = str((row.get("approvalStatus") or {}).get("id") or "")
    words = {"1": "pendingApproval", "3": "rejected"}
    state = str((row.get("status") or {}).get("id") or "open")
    lines = [
        {**line, "item": {**line["item"], "externalId": line["item"].get("refName", "")}}
        for line in (row.get("item") or {}).get("items") or ()
    ]
    return {**row, "status": words.get(approval, state), "item": {"items": lines}}
