"""SAP S/4HANA: debit and credit memo requests, held by a billing block until their total is ours.

OData v2 wants a CSRF token with its cookies, dates as ``/Date(ms)/`` and decimals as text. A request is billed by SAP's
own billing run, once its block is gone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, ClassVar

from pv_testing.contracts.model import Contract, Find, OperationSpec
from pv_testing.contracts.request_template import Request
from pv_testing.core.classification import ResponseClassifier
from pv_testing.core.errors import PermissionDenied, redact
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.core.response import Response
from pv_testing.exchange.operation import Operation
from pv_testing.providers.csrf import CsrfToken
from pv_testing.providers.drafting.documents import Document
from pv_testing.providers.drafting.odata import equal
from pv_testing.providers.drafting.provider import DraftingProvider
from pv_testing.providers.drafting.steps import DocumentOperation, DraftOperation, Rows
from pv_testing.providers.stepped import SteppedOperation
from pv_testing.transports.rest import RestSession

ITEMS, PRICES = "to_Item", "to_PricingElement"
TAX = "D"
"""The condition category of taxes."""
_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d+)?\)/")

log = logging.getLogger(__name__)


class S4HanaProvider(DraftingProvider):
    """Speaks to S/4HANA."""

    etag: ClassVar[str] = "etag"

    def __init__(self, config: Any, contract: Contract, session: RestSession) -> None:
        super().__init__(config, contract, session)
        self._tokens: dict[str, CsrfToken] = {}

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        if name == "create_customer":
            return S4HanaCustomerOperation(self, self.contract.operation(name))
        return super().operation(name)

    async def send(
        self,
        operation: DocumentOperation,
        item: Prepared,
        request: Request,
        headers: Mapping[str, str] | None,
        classify: ResponseClassifier,
    ) -> Response:
        """Send a change with a CSRF token; once more with a new one, where SAP has lost the session of the first."""
        return await self.guarded(operation.name, item, request, headers or {}, classify)

    async def guarded(
        self, operation: str, item: Prepared, request: Request, headers: Mapping[str, str], classify: ResponseClassifier
    ) -> Response:
        """Send a change with a CSRF token."""
        service = request.path.split("/")[1]
        token = self._tokens.setdefault(service, CsrfToken(self.session, f"/{service}/"))
        for last in (False, True):
            try:
                response = await self.session.request(
                    request.method, request.path, params=request.params, json=request.body or None,
                    headers={**headers, **await token.headers(operation)}, operation=operation, key=item.key,
                    repeatable=False, classify=classify, decode=False,
                )  # fmt: skip
            except PermissionDenied as error:
                if not token.lost(error) or last:
                    raise
            else:
                break
        message = response.headers.get("sap-message")
        if message:
            log.warning("%s: SAP says of %s: %s", operation, item.key, redact(message))
        return response

    async def look_up(
        self, operation: DocumentOperation, request: Request, find: Find, key: str, most: int | None
    ) -> Rows:
        """Return the requests that a look-up finds, in the words in which they are written."""
        return [self._row(row) for row in await operation.by_contract(request, find, key, most)]

    async def rows(self, name: str, criteria: Mapping[str, str]) -> Any:
        """Give the rows of a listing that meet all criteria."""
        async for row in super().rows(name, criteria):
            yield row if name == "get_customers" else self._row(row)

    async def create(self, operation: DraftOperation, item: Prepared) -> None:
        """Make a blocked request with its items and prices."""
        spec = self.contract.operation(operation.name)
        request = operation.request(item)
        await operation.write(request._replace(body=_encoded(spec, request.body)), item, spec=spec)

    async def change(self, operation: DraftOperation, item: Prepared, there: Document) -> None:
        """Write a record into a blocked request: items anew from the first that differs on, and then the head.

        The new ones come before the old ones go, so that there is never a request without items. Where this ends on
        the way, the next attempt sees what still differs.
        """
        request = operation.request(item, there)
        spec, wanted = self.contract.operation(operation.name), request.body or {}
        body, old = _encoded(spec, wanted), there.row[ITEMS]
        kept = _alike(wanted[ITEMS], old)
        for each in body[ITEMS]["results"][kept:]:
            await operation.write(Request("POST", f"{request.path}/{ITEMS}", body=each), item)
        for each in old[kept:]:
            line = Document("", "", "", {}, {}, {"etag": each["__metadata"]["etag"]})
            await operation.write(Request("DELETE", _item_path(request.path, each)), item, line)
        now = await operation.document(item)  # each item has given the head another ETag
        head = {name: value for name, value in body.items() if name != ITEMS}
        await operation.write(request._replace(body=head), item, now)

    def filter(self, name: str, criteria: Mapping[str, str]) -> str:
        """Return the OData expression for criteria."""
        values = {self.field(name, criterion): value for criterion, value in criteria.items() if criterion != "status"}
        terms = [equal(values)] if values else []
        status, block = criteria.get("status"), "HeaderBillingBlockReason"
        rejected = "OverallSDDocumentRejectionSts {} 'C'"
        if status == "CANCELLED":
            terms.append(rejected.format("eq"))
        elif status:
            terms += [f"{block} {'ne' if status == 'DRAFT' else 'eq'} ''", rejected.format("ne")]
        return " and ".join(terms)

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request with dates as text, its state as one word, and tax and total from its items' prices."""
        price = self.contract.names["price_condition"]
        items = [_item(each, price) for each in _results(row.get(ITEMS))]
        net = Decimal(str(row["TotalNetAmount"]))
        tax = sum((each["tax"] for each in items), Decimal(0))
        blocked = "blocked" if row.get("HeaderBillingBlockReason") else "released"
        return {
            **{name: _day(value) for name, value in row.items()},
            "etag": (row.get("__metadata") or {}).get("etag", ""),
            "state": "rejected" if row.get("OverallSDDocumentRejectionSts") == "C" else blocked,
            "TotalTaxAmount": str(tax),
            "TotalAmount": str(net + tax),
            ITEMS: items,
        }


class S4HanaCustomerOperation(SteppedOperation):
    """Makes business partners, guarded as every write.

    Args:
        provider: who speaks to S/4HANA.
        spec: the contract's operation.
    """

    def __init__(self, provider: S4HanaProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.sap = provider

    async def perform(self, item: Prepared) -> Reply:
        """Make a business partner."""
        request = self._spec.call.request(item.payload, self._context(item))
        response = await self.sap.guarded(self.name, item, request, {}, self._classify)
        made = response.json()
        return Reply(Verdict.OK, str(self._spec.reply_id(made)), body=made["d"])


def _item(item: Mapping[str, Any], price: str) -> dict[str, Any]:
    elements = list(_results(item.get(PRICES)))
    rates = [each["ConditionRateValue"] for each in elements if each.get("ConditionType") == price]
    taxes = [
        Decimal(str(each.get("ConditionAmount") or 0)) for each in elements if each.get("ConditionCategory") == TAX
    ]
    priced = {PRICES: {"ConditionRateValue": rates[0] if rates else ""}}
    return {**item, **priced, "tax": sum(taxes, Decimal(0))}


def _alike(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> int:
    """Return how many items are the same from the first on."""
    for place, (mine, there) in enumerate(zip(ours, theirs, strict=False)):
        same = {name: there.get(name) for name in mine if name not in {PRICES, "RequestedQuantity"}}
        rates = [Decimal(str(each[PRICES]["ConditionRateValue"] or 0)) for each in (mine, there)]
        amounts = [Decimal(str(each["RequestedQuantity"])) for each in (mine, there)]
        if {**mine, **same} != mine or rates[0] != rates[1] or amounts[0] != amounts[1]:
            return place
    return min(len(ours), len(theirs))


def _item_path(path: str, item: Mapping[str, Any]) -> str:
    """Return where an item is, by the path of its request: ``A_DebitMemoRequest('7')`` and so on."""
    service, _, entity = path.rpartition("/")
    kind, _, key = entity.removeprefix("A_").partition("(")
    return f"{service}/A_{kind}Item({kind}={key.rstrip(')')},{kind}Item='{item[f'{kind}Item']}')"


def _results(value: Any) -> Iterator[Mapping[str, Any]]:
    """Give the records of a list as OData v2 wraps it."""
    listed: Sequence[Any] = value.get("results") or () if isinstance(value, Mapping) else value or ()
    yield from listed


def _day(value: Any) -> Any:
    """Return a date as text, where a value is one in OData v2's form."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    return datetime.fromtimestamp(int(match[1]) / 1000, timezone.utc).date().isoformat() if match else value


def _encoded(spec: OperationSpec, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as OData v2 takes it: dates in its form, and lists wrapped."""
    assert spec.map is not None
    days = {each["to"] for each in spec.map.specs.values() if each.get("type") == "date"}
    made = {name: _milliseconds(value) if name in days else value for name, value in body.items()}
    items = [{**item, PRICES: {"results": [item[PRICES]]}} for item in body[ITEMS]]
    return {**made, ITEMS: {"results": items}}


def _milliseconds(day: str) -> str:
    midnight = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
    return f"/Date({int(midnight.timestamp()) * 1000})/"
