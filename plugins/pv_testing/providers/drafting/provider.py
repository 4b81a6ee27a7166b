"""The provider: what products fill in, and reads in the words of every ERP contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.classification import ResponseClassifier
from pv_testing.core.errors import Conflict, MappingError, NotFound
from pv_testing.core.problems import allowed
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared
from pv_testing.core.response import Response
from pv_testing.exchange.operation import Operation
from pv_testing.providers.drafting.documents import Document, document
from pv_testing.providers.drafting.steps import (
    CreditNoteOperation,
    DocumentOperation,
    DraftOperation,
    PostingOperation,
    Rows,
    chosen,
)
from pv_testing.providers.rest import RestOperation, RestProvider

CRITERIA = {"get_customers": ("name", "id"), "get_invoices": ("reference", "status", "customer_id")}
STEPS: Mapping[str, type[DocumentOperation]] = {
    "create_invoice": DraftOperation,
    "post_invoice": PostingOperation,
    "create_credit_note": CreditNoteOperation,
}


class DraftingProvider(RestProvider):
    """Speaks to an ERP that takes invoices as drafts and posts them by a step of its own.

    A product whose requests its contract can say needs no class of its own. The contract has the maps
    ``invoice_state``, ``credit_note_state`` and ``customer_state``, of what only the ERP says.

    Attributes:
        version: where a document says its version, which goes into the body of a change; empty where it says none.
        etag: where it says it, for the header ``If-Match``.
    """

    version: ClassVar[str] = ""
    etag: ClassVar[str] = ""

    @property
    def posts(self) -> Mapping[str, str]:
        """Return the operation that posts, by kind; a kind is missing where the ERP posts what it is given at once."""
        names = {"invoice": "post_invoice", "invoice_posting": "post_invoice", "credit_note": "post_credit_note"}
        return {kind: name for kind, name in names.items() if name in self.contract.operations}

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        spec = self.contract.operation(name)
        return STEPS[name](self, spec) if name in STEPS else RestOperation(self.contract, spec, self.session)

    def document(self, spec: OperationSpec, row: Mapping[str, Any]) -> Document:
        """Read an invoice or a credit note, by the operation that makes it."""
        assert spec.map is not None
        return document(self.contract, spec.map, self.contract.maps[f"{spec.kind}_state"], row)

    async def look_up(
        self, operation: DocumentOperation, request: Request, find: Find, key: str, most: int | None
    ) -> Rows:
        """Return the documents that a look-up finds, each with all that the maps read.

        Args:
            operation: whose step it is.
            request: as the contract says it.
            find: what the contract says of its answer.
            key: the business key.
            most: the most that may be found; ``None`` for any number.
        """
        return await operation.by_contract(request, find, key, most)

    def locked(
        self, body: Mapping[str, Any] | None, there: Document | None
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, str] | None]:
        """Return body and headers of a change that the ERP refuses where the document has changed since it was read."""
        if there is None:
            return body, None
        if self.version:
            return {**(body or {}), self.version: there.row[self.version]}, None
        return body, {"If-Match": str(there.row[self.etag])} if self.etag else None

    async def send(
        self,
        operation: DocumentOperation,
        item: Prepared,
        request: Request,
        headers: Mapping[str, str] | None,
        classify: ResponseClassifier,
    ) -> Response:
        """Send a request that changes something, and that a look follows.

        Args:
            operation: whose step it is.
            item: the record.
            request: to send.
            headers: besides the session's own.
            classify: says what the answer means.
        """
        return await self.session.request(
            request.method,
            request.path,
            params=request.params,
            json=request.body or None,
            headers=headers,
            operation=operation.name,
            key=item.key,
            repeatable=False,
            classify=classify,
            decode=False,
        )

    async def create(self, operation: DraftOperation, item: Prepared) -> None:
        """Make a draft."""
        await operation.write(operation.request(item), item, spec=self.contract.operation(operation.name))

    async def change(self, operation: DraftOperation, item: Prepared, there: Document) -> None:
        """Write a record into a draft."""
        await operation.write(operation.request(item, there), item, there)

    async def post(self, operation: DocumentOperation, item: Prepared, there: Document) -> None:
        """Post a draft whose total was compared."""
        spec = self.contract.operation(self.posts[operation.kind])
        payload = spec.prepare({**item.data, "invoice_id": there.id, "total": str(there.amounts.get("total", ""))})
        known = {"id": there.id, "key": there.reference}
        await operation.write(spec.call.request(payload, known), item, there, spec=spec)

    async def by_reference(self, key: str) -> Document | None:
        """Return the invoice that carries a business key; ``None`` where the ERP has none.

        Raises:
            Conflict: it has several (``DUPLICATE_IN_SYSTEM``).
        """
        spec = self.contract.operation("create_invoice")
        rows = [row async for row in self._rows("get_invoices", {"reference": key})]
        there = [each for each in (self.document(spec, row) for row in rows) if each.reference == key]
        if sum(each.status != "CANCELLED" for each in there) > 1:
            message = f"{len(there)} invoices carry the key {key!r}; cancel or rename all but one"
            raise Conflict(message, key=key, code=Reason.DUPLICATE_IN_SYSTEM)
        return chosen(there)

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Make one call that needs no ledger.

        Raises:
            NotFound: the ERP has no such invoice.
        """
        if name != "get_invoice":
            return await super().call(name, **arguments)
        posting = PostingOperation(self, self.contract.operation("post_invoice"))
        there = await posting.by_id(str(arguments["invoice_id"]))
        if there is None:
            message = f"{self.contract.provider} has no invoice {arguments['invoice_id']}, or doesn't show it"
            raise NotFound(message, system=self.contract.system, code="INVOICE_GONE")
        return there.described()

    async def listing(self, name: str, /, **criteria: Any) -> AsyncIterator[dict[str, Any]]:
        """Give every item of a listing, invoices and customers as every ERP contract describes them."""
        if name not in CRITERIA:
            async for item in super().listing(name, **criteria):
                yield item
            return
        spec = self.contract.operation("create_invoice")
        async for row in self._rows(name, {key: str(value) for key, value in criteria.items() if value}):
            yield self.document(spec, row).described() if name == "get_invoices" else self.customer(row)

    async def _rows(self, name: str, criteria: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        for criterion in criteria:
            if criterion not in CRITERIA[name]:
                message = f"{name} takes no {criterion}; {allowed(criterion, list(CRITERIA[name]))}"
                raise MappingError(message, code=Reason.FIELD_UNKNOWN)
        async for row in self.rows(name, criteria):
            yield row

    async def rows(self, name: str, criteria: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Give the rows of a listing that meet all criteria, as the ERP says them."""
        async for row in super().listing(name, filter=self.filter(name, criteria) or None):
            yield row

    def filter(self, name: str, criteria: Mapping[str, str]) -> str:
        """Return the product's filter expression for criteria; empty for all.

        Args:
            name: of the listing.
            criteria: what its rows must have, in our words.
        """
        raise NotImplementedError

    def field(self, name: str, criterion: str) -> str:
        """Return what the ERP calls a criterion of a listing, by the contract's maps."""
        if name == "get_customers":
            maps = self.contract.maps["customer_state"], self.contract.operation("create_customer").map
        else:
            maps = self.contract.maps["invoice_state"], self.contract.operation("create_invoice").map
        field_name = next(each.mapping[criterion] for each in maps if each is not None and criterion in each.mapping)
        return str(field_name)

    def customer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a customer in the words of every ERP contract."""
        written = self.contract.operation("create_customer").map
        fields = {**(written.back(row) if written else {}), **self.contract.maps["customer_state"].back(row)}
        return {name: str(value) if name == "id" else value for name, value in fields.items()}
