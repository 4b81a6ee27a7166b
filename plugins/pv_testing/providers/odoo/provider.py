"""The provider: calls of Odoo's models, and invoices in the words of its contract."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pv_testing.contracts.model import Find
from pv_testing.contracts.request_template import Request
from pv_testing.core.errors import AuthenticationError, PaginationLoop, Rejected, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Prepared
from pv_testing.exchange.operation import Operation
from pv_testing.providers.drafting.documents import Document
from pv_testing.providers.drafting.provider import DraftingProvider
from pv_testing.providers.drafting.steps import DocumentOperation, DraftOperation, Rows

MOVE, LINE, PARTNER = "account.move", "account.move.line", "res.partner"
MOVE_FIELDS = (
    "name", "ref", "state", "payment_state", "partner_id", "invoice_date", "invoice_date_due", "currency_id",
    "invoice_origin", "narration", "amount_untaxed", "amount_tax", "amount_total",
)  # fmt: skip
LINE_FIELDS = ("move_id", "product_id", "name", "quantity", "price_unit")
KINDS = {"create_credit_note": "out_refund"}
PAID = frozenset({"paid", "in_payment"})
CLEAR_LINES: tuple[int, int, int] = (5, 0, 0)
_TAG = re.compile(r"<[^>]*>")


class OdooProvider(DraftingProvider):
    """Speaks to Odoo 19 and later by JSON-2: each call is a transaction of its own, with named arguments."""

    known_options: ClassVar[Mapping[str, Any]] = {"database": ""}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ids: dict[tuple[str, str], int] = {}

    def operation(self, name: str) -> Operation:
        """Return an operation for the exchange engine."""
        from pv_testing.providers.odoo.customers import OdooCustomerOperation

        if name == "create_customer":
            return OdooCustomerOperation(self, self.contract.operation(name))
        return super().operation(name)

    async def execute(
        self,
        model: str,
        method: str,
        ids: Sequence[int] = (),
        *,
        operation: str,
        key: str = "",
        repeatable: bool = True,
        **named: Any,
    ) -> Any:
        """Call a method of a model and return what it gives.

        Args:
            model: such as ``account.move``.
            method: of the model.
            ids: the records that it is called on.
            operation: whose step it is.
            key: the business key of the record.
            repeatable: whether the call may be sent twice without harm.
            named: its arguments.

        Raises:
            Rejected: Odoo refuses it.
            AmbiguousOutcome: it may or may not have taken effect.
        """
        database = str(self.config.options.get("database") or "")
        response = await self.session.request(
            "POST",
            f"/json/2/{model}/{method}",
            json={**({"ids": list(ids)} if ids else {}), **named},
            headers={"X-Odoo-Database": database} if database else None,
            operation=operation,
            key=key,
            repeatable=repeatable,
            classify=self.contract.classify(operation) if operation in self.contract.operations else None,
        )
        return response.json()

    async def identity(self) -> str:
        """Return as whom Odoo knows the caller."""
        context = await self.execute("res.users", "context_get", operation="identity")
        (user,) = await self.search("res.users", [["id", "=", context["uid"]]], ("login",), operation="identity")
        if not user["login"]:
            raise AuthenticationError("Odoo answers, but doesn't say to whom", system=self.contract.system)
        return str(user["login"])

    async def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], *, operation: str, key: str = ""
    ) -> list[dict[str, Any]]:
        """Return everything that meets the conditions, oldest first, page by page.

        Args:
            model: such as ``account.move``.
            domain: the conditions.
            fields: those that are read of each.
            operation: whose step it is.
            key: the business key of the record.

        Raises:
            ResponseError: what comes is no page of records.
            PaginationLoop: a page doesn't go on where the one before ended.
        """
        size = self.contract.pagination.page_size
        records: list[dict[str, Any]] = []
        while True:
            last = records[-1]["id"] if records else 0
            page = await self.execute(
                model, "search_read", operation=operation, key=key,
                domain=[*domain, ["id", ">", last]], fields=list(fields), limit=size, order="id",
            )  # fmt: skip
            if not isinstance(page, list) or not all(isinstance(each, dict) and each.get("id") for each in page):
                raise ResponseError("Odoo's answer to a search is no list", code=Reason.NO_LIST, excerpt=str(page))
            if page and page[0]["id"] <= last:
                raise PaginationLoop(f"Odoo gave the record {page[0]['id']} after {last}")
            records += page
            if len(page) < size:
                return records

    async def look_up(
        self, operation: DocumentOperation, request: Request, find: Find, key: str, most: int | None
    ) -> Rows:
        """Return the moves that have what the contract's look-up asks for."""
        del find, most
        domain = [[name, "=", int(value) if name == "id" else value] for name, value in request.params.items()]
        return await self._moves(domain, KINDS.get(operation.name, "out_invoice"), operation.name, key)

    async def rows(self, name: str, criteria: Mapping[str, str]) -> AsyncIterator[Mapping[str, Any]]:
        """Give the rows of a listing that meet all criteria."""
        if name == "get_customers":
            domain = [[field, "=", int(value) if field == "id" else value] for field, value in criteria.items()]
            for partner in await self.search(PARTNER, domain, ("name", "email", "phone"), operation=name):
                yield partner
            return
        domain = []
        for criterion, value in criteria.items():
            domain += self._condition(criterion, value)
        for move in await self._moves(domain, "out_invoice", name):
            yield move

    def _condition(self, criterion: str, value: str) -> list[list[Any]]:
        if criterion == "customer_id":
            return [["partner_id", "=", int(value)]]
        if criterion == "reference":
            return [["ref", "=", value]]
        state = self.contract.vocabularies["invoice_status"].write(value)
        if state in {"posted", "paid"}:
            return [["state", "=", "posted"], ["payment_state", "in" if state == "paid" else "not in", sorted(PAID)]]
        return [["state", "=", state]]

    async def _moves(self, domain: Sequence[Any], kind: str, operation: str, key: str = "") -> list[dict[str, Any]]:
        """Return invoices with their lines, in the words in which they are written."""
        where = [["move_type", "=", kind], *domain]
        moves = await self.search(MOVE, where, MOVE_FIELDS, operation=operation, key=key)
        if not moves:
            return []
        of_moves = [["move_id", "in", [move["id"] for move in moves]], ["display_type", "=", "product"]]
        lines = await self.search(LINE, of_moves, LINE_FIELDS, operation=operation, key=key)
        codes = await self._codes({line["product_id"][0] for line in lines if line["product_id"]}, operation)
        rows = {move["id"]: _row(move) for move in moves}
        for line in lines:
            product = codes.get(line["product_id"][0], "") if line["product_id"] else ""
            rows[line["move_id"][0]]["invoice_line_ids"].append({**line, "product_id": product})
        return list(rows.values())

    async def _codes(self, ids: set[int], operation: str) -> dict[int, str]:
        domain = [["id", "in", sorted(ids)], ["active", "in", [True, False]]]
        products = await self.search("product.product", domain, ("default_code",), operation=operation) if ids else []
        return {product["id"]: product["default_code"] or "" for product in products}

    async def create(self, operation: DraftOperation, item: Prepared) -> None:
        """Make a draft with its lines, in one transaction."""
        values = await self._values(operation, item)
        values["move_type"] = KINDS.get(operation.name, "out_invoice")
        await self.execute(MOVE, "create", operation=operation.name, key=item.key, repeatable=False, vals_list=[values])

    async def change(self, operation: DraftOperation, item: Prepared, there: Document) -> None:
        """Write a record into a draft: its lines are replaced."""
        values = await self._values(operation, item)
        values["invoice_line_ids"] = [list(CLEAR_LINES), *values["invoice_line_ids"]]
        await self.execute(
            MOVE, "write", [int(there.id)], operation=operation.name, key=item.key, repeatable=False, vals=values
        )

    async def post(self, operation: DocumentOperation, item: Prepared, there: Document) -> None:
        """Post a draft."""
        await self.execute(
            MOVE, "action_post", [int(there.id)], operation=operation.name, key=item.key, repeatable=False
        )

    async def _values(self, operation: DraftOperation, item: Prepared) -> dict[str, Any]:
        """Return the fields of a move; products and currency by their ids, taxes are those that Odoo has for them."""
        payload = item.payload
        lines = []
        for line in payload["invoice_line_ids"]:
            product = await self._id("product.product", "default_code", line["product_id"], operation.name)
            lines.append([0, 0, {**line, "product_id": product}])
        values = {**payload, "partner_id": int(payload["partner_id"]), "invoice_line_ids": lines}
        if "currency_id" in payload:
            values["currency_id"] = await self._id("res.currency", "name", payload["currency_id"], operation.name)
        if values.get("invoice_date_due"):
            values["invoice_payment_term_id"] = False  # else Odoo computes the day by the customer's terms
        return values

    async def _id(self, model: str, field: str, value: str, operation: str) -> int:
        if (model, value) not in self._ids:
            rows = await self.search(model, [[field, "=", value]], (field,), operation=operation)
            if len(rows) != 1:
                message = f"Odoo has {len(rows) or 'no'} active {model} with the {field} {value!r}"
                raise Rejected(f"{message}; see to it there, then release the record", code="PRODUCT_UNKNOWN")
            self._ids[model, value] = int(rows[0]["id"])
        return self._ids[model, value]


def _row(move: Mapping[str, Any]) -> dict[str, Any]:
    paid = move["state"] == "posted" and move["payment_state"] in PAID
    return {
        **move,
        "customer_name": move["partner_id"][1] if move["partner_id"] else "",
        "partner_id": str(move["partner_id"][0]) if move["partner_id"] else "",
        "currency_id": move["currency_id"][1] if move["currency_id"] else "",
        "narration": html.unescape(_TAG.sub("", move["narration"] or "")),
        "name": "" if move["name"] in {False, "/"} else move["name"],
        "state": "paid" if paid else move["state"],
        "invoice_line_ids": [],
    }
