"""What the ERP has computed otherwise than we have, in words and to the cent."""

from __future__ import annotations

from decimal import Decimal

from pv_testing.billing.invoice import Invoice
from pv_testing.domain.money import exact

Amount = str | int | Decimal | None


def differences(
    invoice: Invoice, erp_subtotal: Amount, erp_tax: Amount, erp_total: Amount, erp_currency: str | None = None
) -> list[str]:
    """Say where the ERP's amounts differ from ours; nothing where all are equal.

    Args:
        invoice: as we have computed it.
        erp_subtotal: as the ERP has; an amount that is missing, no number or a ``float`` is a difference.
        erp_tax: likewise.
        erp_total: likewise.
        erp_currency: of the three; one that the ERP doesn't name is taken for ours.
    """
    if erp_currency and erp_currency != invoice.currency:
        return [f"currency: ours is {invoice.currency}, the ERP's {erp_currency}"]
    pairs = (
        ("subtotal", invoice.subtotal, erp_subtotal),
        ("tax", invoice.tax_amount, erp_tax),
        ("total", invoice.total, erp_total),
    )
    different: list[str] = []
    for name, ours, theirs in pairs:
        difference = _difference(invoice, name, ours, theirs)
        if difference:
            different.append(difference)
    return different


def _difference(invoice: Invoice, name: str, ours: Decimal, theirs: Amount) -> str:
    known = f"{name}: ours is {invoice.money(ours)} {invoice.currency}"
    if theirs is None or theirs == "":
        return f"{known}, the ERP gives none"
    try:
        amount = exact(theirs)
    except (TypeError, ValueError):
        return f"{known}, the ERP's {str(theirs)[:40]!r} is no decimal number"
    if amount == ours:
        return ""
    gap = f"{invoice.money(abs(amount - ours))} {'less' if amount < ours else 'more'}"
    return f"{known}, the ERP's {invoice.money(amount)} {invoice.currency}, {gap}"
