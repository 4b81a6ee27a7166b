"""What is read from Tryton, in the words of every ERP contract."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pv_testing.contracts.model import Contract
from pv_testing.core import keys
from pv_testing.core.errors import NotFound
from pv_testing.providers.criteria import refuse_unknown

if TYPE_CHECKING:
    from pv_testing.providers.tryton.provider import Item, TrytonProvider

CUSTOMER = ("code", "name", "email", "phone")
INVOICE = (
    "state",
    "number",
    "reference",
    "party.code",
    "party.name",
    "invoice_date",
    "payment_term_date",
    "currency.code",
    "description",
    "comment",
    "untaxed_amount",
    "tax_amount",
    "total_amount",
)
MOVEMENT = (
    "state",
    "effective_date",
    "product.code",
    "lot.number",
    "from_location.code",
    "to_location.code",
)
CRITERIA = {
    "get_customers": ("name", "id"),
    "get_invoices": ("reference", "status", "customer_id"),
    "get_stock_movements": ("external_id", "sr_number", "serial_number"),
}


async def listed(provider: TrytonProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a listing.

    Args:
        provider: who asks.
        name: of the listing in the contract.
        criteria: what its items must have.

    Raises:
        MappingError: a criterion is unknown.
    """
    refuse_unknown(provider.contract, name, criteria, CRITERIA)
    if name == "get_customers":
        where = [["code" if field == "id" else field, "=", value] for field, value in criteria.items()]
        parties = await provider.search("party.party", where, CUSTOMER, operation=name)
        return [customer(party) for party in parties]
    return await (_invoices if name == "get_invoices" else _movements)(provider, name, criteria)


async def invoice(provider: TrytonProvider, invoice_id: Any) -> dict[str, Any]:
    """Return one invoice.

    Args:
        provider: who asks.
        invoice_id: its id in Tryton.

    Raises:
        NotFound: there is none.
    """
    number = str(invoice_id)
    where = [["id", "=", int(number)]] if number.isdecimal() else None
    matches = where and await provider.search("account.invoice", where, INVOICE, operation="get_invoice")
    if not matches:
        raise NotFound(f"Tryton has no invoice {invoice_id}, or doesn't show it to this user", code="INVOICE_GONE")
    return described(provider.contract, matches[0])


async def _invoices(provider: TrytonProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return invoices of customers without credit notes, whose amounts are negative in Tryton."""
    company, _ = await provider.company(name)
    where: list[Any] = [["type", "=", "out"], ["company", "=", company], ["untaxed_amount", ">=", Decimal(0)]]
    if "reference" in criteria:
        where.append(["reference", "=", criteria["reference"]])
    if "customer_id" in criteria:
        where.append(["party.code", "=", criteria["customer_id"]])
    if "status" in criteria:
        words = provider.contract.vocabularies["invoice_status"]
        wanted = words.read(words.write(criteria["status"]))
        where.append(["state", "in", [theirs for theirs, ours in words.to_internal.items() if ours == wanted]])
    rows = await provider.search("account.invoice", where, INVOICE, operation=name)
    return [described(provider.contract, each) for each in rows]


async def _movements(provider: TrytonProvider, name: str, criteria: Mapping[str, str]) -> list[dict[str, Any]]:
    company, _ = await provider.company(name)
    where: list[Any] = [
        ["state", "=", "done"],
        ["company", "=", company],
        ["product.code", "=", provider.contract.names["module_product"]],
        ["to_location.code", "in", list(provider.contract.vocabularies["movement"].to_external.values())],
    ]
    if "external_id" in criteria:
        where.append(["lot.number", "=", keys.above(criteria["external_id"])])
    if "sr_number" in criteria:
        where.append(["lot.number", "like", f"{keys.prefix(keys.compose(criteria['sr_number']))}%"])
    if "serial_number" in criteria:
        where.append(["lot.number", "like", f"%{keys.below('', criteria['serial_number'])}"])
    rows = await provider.search("stock.move", where, MOVEMENT, operation=name)
    movements = [moved(provider.contract, each) for each in rows]
    for field, value in criteria.items():
        movements = [movement for movement in movements if movement[field] == value]
    return movements


def customer(party: Item) -> dict[str, Any]:
    """Return a party; its code is the customer's id."""
    return {
        "id": str(party["code"]),
        "name": party["name"],
        "email": party["email"] or "",
        "phone": party["phone"] or "",
    }


def described(contract: Contract, record: Item) -> dict[str, Any]:
    """Return an invoice, or a credit note with positive amounts.

    Args:
        contract: has the words.
        record: with the fields of ``INVOICE``.
    """
    sign = -1 if record["untaxed_amount"] < 0 else 1
    return {
        "id": str(record["id"]),
        "invoice_id": str(record["id"]),
        "external_id": record["reference"] or "",
        "reference": record["reference"] or "",
        "number": record["number"] or "",
        "status": contract.vocabularies["invoice_status"].read(record["state"]),
        "customer_id": str(record["party."]["code"]),
        "customer": record["party."]["name"],
        "invoice_date": day(record["invoice_date"]),
        "due_date": day(record["payment_term_date"]),
        "currency": record["currency."]["code"],
        "po_number": record["description"] or "",
        "notes": record["comment"] or "",
        "subtotal": format(sign * record["untaxed_amount"], "f"),
        "tax": format(sign * record["tax_amount"], "f"),
        "total": format(sign * record["total_amount"], "f"),
    }


def moved(contract: Contract, move: Item) -> dict[str, Any]:
    """Return the movement of a module; the number of its lot is service request and serial number.

    Args:
        contract: has the words.
        move: with the fields of ``MOVEMENT``.
    """
    lot = str((move.get("lot.") or {}).get("number") or "")
    sr_number, serial_number = _numbers(lot)
    movement = contract.vocabularies["movement"].read(str(move["to_location."]["code"]))
    return {
        "id": str(move["id"]),
        "external_id": keys.below(lot, movement),
        "sr_number": sr_number,
        "serial_number": serial_number,
        "movement": movement,
        "date": day(move["effective_date"]),
        "status": move["state"].upper(),
    }


def _numbers(lot: str) -> tuple[str, str]:
    """Return service request and serial number of a lot, which somebody may have entered as they are."""
    parts = keys.split(lot)
    sr_number, _, serial_number = lot.partition(keys.SEPARATOR)
    return (parts[0], parts[1]) if len(parts) == 2 else (sr_number, serial_number)


def day(value: Any) -> str:
    """Return a date as text; empty where there is none."""
    return value.isoformat() if value else ""
