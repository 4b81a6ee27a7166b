"""An invoice as it is remembered once it has been drawn up, so that a new price list can't change what was billed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.billing.invoice import Invoice, LineItem
from pv_testing.billing.policy import BillingPolicy
from pv_testing.billing.tax import Tax

_PLAIN = ("sr_number", "customer_id", "payment_days", "currency", "po_number", "notes")
_DAYS = ("invoice_date", "delivered_on")
_AMOUNTS = ("subtotal", "tax_amount", "total")
_LINE_AMOUNTS = ("unit_price", "total")


def kept(invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as JSON has it, with every digit; :func:`restored` makes the same of it again."""
    line_names = ("protocol_id", "name", "quantity")
    lines = [
        {
            **{name: getattr(line, name) for name in line_names},
            **{name: str(getattr(line, name)) for name in _LINE_AMOUNTS},
        }
        for line in invoice.lines
    ]
    tax = {"category": invoice.tax.category, "rate": str(invoice.tax.rate), "reason": invoice.tax.reason}
    return {
        **{name: getattr(invoice, name) for name in _PLAIN},
        **{name: getattr(invoice, name).isoformat() for name in _DAYS},
        **{name: str(getattr(invoice, name)) for name in _AMOUNTS},
        "buyer": invoice.buyer.name,
        "lines": lines,
        "tax": tax,
    }


def restored(said: Mapping[str, Any], policy: BillingPolicy) -> Invoice:
    """Return the invoice that was remembered.

    Args:
        said: as :func:`kept` gave it.
        policy: what is known of the two parties now, such as their addresses; no amount comes from it.
    """
    lines = [LineItem(**{**line, **{name: Decimal(line[name]) for name in _LINE_AMOUNTS}}) for line in said["lines"]]
    tax = said["tax"]
    return Invoice(
        **{name: said[name] for name in _PLAIN},
        **{name: date.fromisoformat(said[name]) for name in _DAYS},
        **{name: Decimal(said[name]) for name in _AMOUNTS},
        buyer=policy.customer(said["buyer"]),
        seller=policy.seller,
        lines=tuple(lines),
        tax=Tax(tax["category"], Decimal(tax["rate"]), tax["reason"]),
    )
