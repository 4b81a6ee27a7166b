"""Drafts of invoices: the fields that are written into them, and those in which an invoice differs from a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.core.records import Payload, Prepared
from pv_testing.providers.tryton.listings import INVOICE, day
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation

MODEL, LINE = "account.invoice", "account.invoice.line"
LINES = ("invoice", "product.code", "quantity", "unit_price", "description")
NO_ORIGINS: Mapping[str, int] = {}
# What Tryton fills in for a customer.
_OF_PARTY = ("account", "journal", "invoice_address", "party_tax_identifier", "payment_term")


class Drafts:
    """Writes the drafts of a record.

    Args:
        operation: whose step it is.
        item: the record; its key becomes the reference.
        sign: 1 of an invoice, -1 of a credit note, which is an invoice of negative quantities.
    """

    def __init__(self, operation: TrytonOperation, item: Prepared, sign: int = 1) -> None:
        self._operation = operation
        self._setup = operation.tryton.setup
        self._item = item
        self._sign = sign

    async def create(self, origins: Mapping[str, int] = NO_ORIGINS) -> int:
        """Make a draft and return its number.

        Args:
            origins: the line that a credit note's line of a product gives back.
        """
        party, currency = await self._parties()
        fields = {
            **await self._head(party, currency),
            "reference": self._item.key,
            "lines": [["create", await self._lines(party, currency, origins)]],
        }
        (number,) = await self._operation.change(self._item, MODEL, "create", [fields])
        return int(number)

    async def change(self, draft: Item, origins: Mapping[str, int] = NO_ORIGINS) -> None:
        """Write the record into a draft, unless it has been changed since it was read."""
        party, currency = await self._parties()
        old = [line["id"] for line in draft["lines"]]
        fields = {
            **await self._head(party, currency),
            "lines": [["delete", old], ["create", await self._lines(party, currency, origins)]],
        }
        await self._operation.change(self._item, MODEL, "write", [draft["id"]], fields, seen=draft)

    async def _parties(self) -> tuple[int, int]:
        """Return the numbers of the customer and of the currency, the company's own where the record names none."""
        payload, name = self._item.payload, self._operation.name
        party = await self._setup.party(payload["party"], name)
        if "currency" in payload:
            return party, await self._setup.currency(payload["currency"], name)
        return party, await self._operation.own_currency()

    async def _head(self, party: int, currency: int) -> dict[str, Any]:
        """Return the fields of an invoice; accounts and address are those that Tryton has for the customer."""
        payload = self._item.payload
        wanted = {
            "type": "out",
            "company": await self._operation.company(),
            "party": party,
            "currency": currency,
            "invoice_date": date.fromisoformat(payload["invoice_date"]),
        }
        defaults = await self._operation.ask(self._item, MODEL, "on_change", wanted, ["type", "party"])
        texts = {name: payload.get(name) for name in ("description", "comment")}
        return {**wanted, **{name: defaults.get(name) for name in _OF_PARTY}, **texts, **_due(payload)}

    async def _lines(self, party: int, currency: int, origins: Mapping[str, int]) -> list[dict[str, Any]]:
        lines = self._item.payload["lines"]
        return [await self._line(line, party, currency, origins) for line in lines]

    async def _line(self, line: Payload, party: int, currency: int, origins: Mapping[str, int]) -> dict[str, Any]:
        """Return the fields of a line; account, unit and taxes are those that Tryton has for product and customer."""
        product, _ = await self._setup.product(line["product"], self._operation.name)
        wanted = {
            "type": "line",
            "invoice_type": "out",
            "company": await self._operation.company(),
            "currency": currency,
            "party": party,
            "product": product,
            "quantity": float(self._sign * Decimal(line["quantity"])),
            "unit_price": Decimal(line["unit_price"]),
            "description": line.get("description"),
        }
        defaults = await self._operation.ask(self._item, LINE, "on_change", wanted, ["product"])
        taxes = [record["id"] for _, record in (defaults.get("taxes") or {}).get("add", ())]
        origin = origins.get(line["product"])
        return {
            **wanted,
            **{name: defaults.get(name) for name in ("account", "unit")},
            "taxes": [["add", taxes]],
            **({"origin": f"{LINE},{origin}"} if origin is not None else {}),
        }


async def invoices(operation: TrytonOperation, where: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the invoices of customers that meet the conditions, each with its lines.

    Args:
        operation: whose step it is.
        where: the conditions.
    """
    domain = [["type", "=", "out"], ["company", "=", await operation.company()], *where]
    by_id = {each["id"]: {**each, "lines": []} for each in await operation.search(MODEL, domain, INVOICE)}
    if by_id:
        domain = [["invoice", "in", list(by_id)], ["type", "=", "line"]]
        for line in await operation.search(LINE, domain, LINES):
            by_id[line["invoice"]]["lines"].append(line)
    return list(by_id.values())


def differences(payload: Payload, invoice: Item, sign: int = 1) -> list[str]:
    """Return the fields in which an invoice isn't what a record wants; amounts are compared apart.

    Args:
        payload: the mapped record.
        invoice: the invoice with its lines.
        sign: -1 of a credit note.
    """
    there = {
        "party": str(invoice["party."]["code"]),
        "invoice_date": day(invoice["invoice_date"]),
        "description": _plain(invoice["description"]),
        "comment": _plain(invoice["comment"]),
    }
    wanted = {name: _plain(payload.get(name)) for name in there}
    if "currency" in payload:
        wanted["currency"], there["currency"] = payload["currency"], invoice["currency."]["code"]
    if "due_date" in payload:
        wanted["due_date"], there["due_date"] = payload["due_date"], day(invoice["payment_term_date"])
    different = [name for name in wanted if wanted[name] != there[name]]
    ours = [_wanted_line(line) for line in payload["lines"]]
    theirs = [_line_there(line, sign) for line in invoice["lines"]]
    return different if ours == theirs else [*different, "lines"]


def _wanted_line(line: Payload) -> tuple[str, Decimal, Decimal, str]:
    return _line(line["product"], line["quantity"], line["unit_price"], line.get("description"))


def _line_there(line: Item, sign: int) -> tuple[str, Decimal, Decimal, str]:
    product = (line.get("product.") or {}).get("code")
    return _line(product, sign * line["quantity"], line["unit_price"], line["description"])


def _line(product: Any, quantity: Any, price: Any, description: Any) -> tuple[str, Decimal, Decimal, str]:
    return str(product), Decimal(str(quantity)), Decimal(str(price)), _plain(description)


def _due(payload: Payload) -> dict[str, Any]:
    """Return when an invoice is due: on the record's own day, else by the customer's terms in Tryton."""
    if "due_date" not in payload:
        return {"payment_term_date": None}
    return {"payment_term": None, "payment_term_date": date.fromisoformat(payload["due_date"])}


def _plain(text: Any) -> str:
    return str(text or "").replace("\r\n", "\n").strip()
