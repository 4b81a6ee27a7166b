"""A credit note: gives back what was billed for a protocol that was withdrawn afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, tzinfo

from pv_testing.billing.invoice import Credit, Invoice, amounts_of, totals
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record


def credit_note_key(sr_number: str, protocol_id: str) -> str:
    """Return the business key of a credit note: a test of a service request is given back once."""
    return keys.compose(sr_number, protocol_id)


def credit_note_of(
    invoice: Invoice,
    protocol_id: str,
    *,
    invoice_id: str,
    withdrawn_at: datetime,
    zone: tzinfo,
    number: str = "",
    reason: str = "",
) -> Invoice:
    """Return the credit note for one protocol of an invoice, with positive amounts.

    Args:
        invoice: as it was billed.
        protocol_id: the protocol that was withdrawn.
        invoice_id: the invoice's id in the ERP.
        withdrawn_at: when; its day in the laboratory is the credit note's date.
        zone: the laboratory's time zone.
        number: the invoice's number as the customer knows it; the service request's number by default.
        reason: in words; that the protocol was withdrawn by default.

    Raises:
        DataError: the invoice has no line of the protocol (``NOTHING_TO_CREDIT``).
        ValueError: ``withdrawn_at`` has no time zone.
    """
    if withdrawn_at.tzinfo is None:
        raise ValueError("withdrawn_at needs a time zone")
    lines = tuple(line for line in invoice.lines if line.protocol_id == protocol_id)
    if not lines:
        text = f"the invoice has no line of {protocol_id}; only what was billed can be given back"
        key = credit_note_key(invoice.sr_number, protocol_id)
        raise DataError(text, system="erp", key=key, code="NOTHING_TO_CREDIT")
    subtotal, tax_amount, total = totals(lines, invoice.tax, invoice.currency)
    number, reason = number or invoice.sr_number, reason or f"{protocol_id} was withdrawn"
    return replace(
        invoice,
        invoice_date=withdrawn_at.astimezone(zone).date(),
        payment_days=0,
        lines=lines,
        subtotal=subtotal,
        tax_amount=tax_amount,
        total=total,
        notes=f"Credit note for invoice {number}: {reason}",
        holds=(),
        credit=Credit(invoice_id, number, invoice.invoice_date, reason),
    ).check()


def credit_note_record(credit_note: Invoice) -> Record:
    """Return the record of a credit note; its key names the service request and the protocol.

    Raises:
        DataError: a sum is wrong (``SUM_WRONG``).
        ValueError: it is an invoice, not a credit note.
    """
    if credit_note.credit is None:
        raise ValueError(f"{credit_note.sr_number} is an invoice, not a credit note")
    protocol_id = credit_note.lines[0].protocol_id
    key = credit_note_key(credit_note.sr_number, protocol_id)
    credit = {
        "credit_note_key": key,
        "protocol_id": protocol_id,
        "invoice_id": credit_note.credit.invoice_id,
        "reason": credit_note.credit.reason,
    }
    return Record(key, {**amounts_of(credit_note), **credit})
