"""Invoices as this project computes them, carried to Tryton and read there."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pv_testing.billing.invoice import Invoice, LineItem, invoice_record
from pv_testing.billing.parties import Customer, Seller
from pv_testing.billing.tax import NO_TAX, Tax
from pv_testing.core.records import Outcome
from pv_testing.integrations import ERPClient
from tests.live.carrying import carry
from tests.live.tryton import plan
from tests.live.tryton.caller import Caller
from tests.live.tryton_provider.calls import TODAY


def line(price: str, quantity: int = 1, protocol: str = "PVTP-001") -> LineItem:
    total = (quantity * Decimal(price)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return LineItem(protocol, "Test", quantity, Decimal(price), total)


def bill(sr: str, customer: str, *lines: LineItem, rate: str = "19", **other: Any) -> Invoice:
    """Compute an invoice as this project does."""
    tax = Tax(category="S", rate=rate) if Decimal(rate) else NO_TAX
    subtotal = sum((each.total for each in lines), Decimal(0))
    amount = tax.on(subtotal, "EUR")
    known: dict[str, Any] = {
        "invoice_date": TODAY,
        "payment_days": 14,
        "currency": "EUR",
        "delivered_on": TODAY,
        "po_number": "PO-7",
        "notes": "Twelve modules\nas agreed",
        **other,
    }
    parties = {"buyer": Customer(name=plan.CUSTOMER), "seller": Seller(name="PV Laboratory")}
    return Invoice(
        sr,
        customer,
        lines=lines,
        subtotal=subtotal,
        tax=tax,
        tax_amount=amount,
        total=subtotal + amount,
        **parties,
        **known,
    )


def invoice(client: ERPClient, sr: str, customer: str, *lines: LineItem, **other: Any) -> Outcome:
    record = invoice_record(bill(sr, customer, *(lines or (line("350.00", 12),)), **other))
    return carry(client, "create_invoice", record.key, **record.data)


def post(client: ERPClient, sr: str, number: str, total: str) -> Outcome:
    return carry(client, "post_invoice", sr, invoice_id=number, total=total)


def in_books(books: Caller, reference: str) -> list[dict[str, Any]]:
    fields = ["state", "number", "total_amount", "untaxed_amount", "tax_amount", "payment_term_date", "description"]
    return books.search("account.invoice", [["reference", "=", reference]], [*fields, "comment", "lines"])
