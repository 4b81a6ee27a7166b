"""An invoice as it is remembered once it has been drawn up, so that a new price list can't change what was billed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.billing.invoice import Invoice, LineItem
from pv_testing.billing.policy import BillingPolicy
from pv_testing.billing.tax import Tax

_LINE = ("protocol_id", "name", "quantity")


def kept(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as JSON has it, with every digit; :func:`restored` makes the same of it again."""
    return {
        "sr_number": invoice.sr_number,
        "customer_id": invoice.customer_id,
        "buyer": invoice.buyer.name,
        "invoice_date": invoice.invoice_date.isoformat(),
        "payment_days": invoice.payment_days,
        "currency": invoice.currency,
        "lines": [_line(line) for line in invoice.lines],
        "subtotal": str(invoice.subtotal),
        "tax": {"category": invoice.tax.category, "rate": str(invoice.tax.rate), "reason": invoice.tax.reason},
        "tax_amount": str(invoice.tax_amount),
        "total": str(invoice.total),
        "delivered_on": invoice.delivered_on.isoformat(),
        "po_number": invoice.po_number,
        "notes": invoice.notes,
    }


def _line(line: LineItem) -> dict[str, Any]:
    amounts = {"unit_price": str(line.unit_price), "total": str(line.total)}
    return {**{name: getattr(line, name) for name in _LINE}, **amounts}


def restored(kept_invoice: Mapping[str, Any], policy: BillingPolicy) -> Invoice:
    """Return the invoice that was remembered.

    Args:
        kept_invoice: as :func:`kept` gave it.
        policy: what is known of the two parties now, such as their addresses; no amount comes from it.
    """
    lines: list[LineItem] = []
    for line in kept_invoice["lines"]:
        amounts = {"unit_price": Decimal(line["unit_price"]), "total": Decimal(line["total"])}
        lines.append(LineItem(**{**line, **amounts}))
    tax = kept_invoice["tax"]
    return Invoice(
        sr_number=kept_invoice["sr_number"],
        customer_id=kept_invoice["customer_id"],
        buyer=policy.customer(kept_invoice["buyer"]),
        seller=policy.seller,
        invoice_date=date.fromisoformat(kept_invoice["invoice_date"]),
        payment_days=kept_invoice["payment_days"],
        currency=kept_invoice["currency"],
        lines=tuple(lines),
        subtotal=Decimal(kept_invoice["subtotal"]),
        tax=Tax.model_construct(category=tax["category"], rate=Decimal(tax["rate"]), reason=tax["reason"]),
        tax_amount=Decimal(kept_invoice["tax_amount"]),
        total=Decimal(kept_invoice["total"]),
        delivered_on=date.fromisoformat(kept_invoice["delivered_on"]),
        po_number=kept_invoice["po_number"],
        notes=kept_invoice["notes"],
    )
