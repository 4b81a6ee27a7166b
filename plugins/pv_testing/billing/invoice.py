"""An invoice: its lines, its totals, its dates, and why a person should look before it is posted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from pv_testing.billing.parties import Customer, Seller
from pv_testing.billing.tax import Tax
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.domain.money import amount_text, rounded


class Hold(NamedTuple):
    """Why an invoice stays a draft until a person has looked.

    Attributes:
        code: a short reason code.
        reason: the same in words.
    """

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class LineItem:
    """One protocol on an invoice.

    Attributes:
        protocol_id: such as ``PVTP-001``.
        name: the protocol's name.
        quantity: how many modules.
        unit_price: of one module.
        total: quantity × unit price, rounded half-up.
    """

    protocol_id: str
    name: str
    quantity: int
    unit_price: Decimal
    total: Decimal

    @property
    def description(self) -> str:
        """Identifier and name, such as ``PVTP-001: STC Power Measurement``."""
        return f"{self.protocol_id}: {self.name}" if self.name else self.protocol_id


class Credit(NamedTuple):
    """What a credit note gives back.

    Attributes:
        invoice_id: the invoice's id in the ERP.
        number: the invoice's number as the customer knows it.
        dated: the invoice's date.
        reason: in words.
    """

    invoice_id: str
    number: str
    dated: date
    reason: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice, or with ``credit`` a credit note; its amounts are positive either way.

    Attributes:
        sr_number: the service request's number; also the reference.
        customer_id: the customer's id in the ERP.
        buyer: the customer.
        seller: the laboratory.
        invoice_date: in the laboratory's time zone.
        payment_days: until it is due.
        currency: of every amount.
        lines: one for each protocol.
        subtotal: the sum of the lines.
        tax: rate, category and reason.
        tax_amount: on the subtotal, rounded half-up.
        total: subtotal and tax.
        delivered_on: the day of the last billed execution; that of the approval where no time is known.
        po_number: the customer's number of the order; empty where none is known.
        notes: what the customer is told besides.
        holds: why it stays a draft.
        credit: of a credit note.
    """

    sr_number: str
    customer_id: str
    buyer: Customer
    seller: Seller
    invoice_date: date
    payment_days: int
    currency: str
    lines: tuple[LineItem, ...]
    subtotal: Decimal
    tax: Tax
    tax_amount: Decimal
    total: Decimal
    delivered_on: date
    po_number: str = ""
    notes: str = ""
    holds: tuple[Hold, ...] = ()
    credit: Credit | None = None

    @property
    def due_date(self) -> date:
        """The day when it is due."""
        return self.invoice_date + timedelta(days=self.payment_days)

    def money(self, number: Decimal) -> str:
        """Return an amount or a price as text with the currency's decimals, such as ``4200.00``."""
        return amount_text(number, self.currency)

    def check(self) -> Invoice:
        """Add everything up again and return itself.

        Raises:
            DataError: a sum is wrong, or there is nothing to pay (``SUM_WRONG``).
        """
        amounts = [self.subtotal, self.tax_amount, self.total, *(line.total for line in self.lines)]
        prices = [line.unit_price for line in self.lines]
        wrong = [repr(each) for each in amounts + prices if not isinstance(each, Decimal)]
        if not wrong:
            problems = [_wrong(line, self.currency) for line in self.lines]
            wrong = [problem for problem in problems if problem]
        if not wrong and totals(self.lines, self.tax, self.currency) != (self.subtotal, self.tax_amount, self.total):
            wrong.append(f"the lines don't add up to {self.subtotal} + {self.tax_amount} = {self.total}")
        if wrong or not self.lines:
            reasons = "; ".join(wrong) or "there is no line"
            raise DataError(f"{reasons}; nothing is sent", system="erp", key=self.sr_number, code="SUM_WRONG")
        return self


def _wrong(line: LineItem, currency: str) -> str:
    expected = rounded(line.quantity * line.unit_price, currency)
    product = f"{line.protocol_id}: {line.quantity} × {line.unit_price}"
    if line.total != expected:
        return f"{product} is {expected}, not {line.total}"
    return "" if expected > 0 else f"{product} comes to nothing"


def totals(lines: Iterable[LineItem], tax: Tax, currency: str) -> tuple[Decimal, Decimal, Decimal]:
    """Return subtotal, tax and total of lines."""
    subtotal = rounded(sum((line.total for line in lines), Decimal(0)), currency)
    tax_amount = tax.on(subtotal, currency)
    return subtotal, tax_amount, subtotal + tax_amount


def amounts_of(invoice: Invoice) -> dict[str, Any]:
    """Return what invoices and credit notes tell the ERP alike: customer, day, lines and totals, all checked.

    Raises:
        DataError: a sum is wrong (``SUM_WRONG``).
    """
    invoice.check()
    return {
        "sr_number": invoice.sr_number,
        "customer_id": invoice.customer_id,
        "invoice_date": invoice.invoice_date.isoformat(),
        "reference": invoice.sr_number,
        "currency": invoice.currency,
        "line_items": [_line_item(invoice, line) for line in invoice.lines],
        "subtotal": invoice.money(invoice.subtotal),
        "tax_rate": format(invoice.tax.rate, "f"),
        "tax": invoice.money(invoice.tax_amount),
        "total": invoice.money(invoice.total),
    }


def _line_item(invoice: Invoice, line: LineItem) -> dict[str, str]:
    return {
        "protocol_id": line.protocol_id,
        "description": line.description,
        "quantity": str(line.quantity),
        "unit_price": invoice.money(line.unit_price),
        "total": invoice.money(line.total),
    }


def invoice_record(invoice: Invoice) -> Record:
    """Return the record of an invoice; its key is the number of the service request.

    Raises:
        DataError: a sum is wrong (``SUM_WRONG``).
    """
    terms = {
        "due_date": invoice.due_date.isoformat(),
        "payment_days": invoice.payment_days,
        "po_number": invoice.po_number,
        "notes": invoice.notes,
    }
    return Record(keys.compose(invoice.sr_number), {**amounts_of(invoice), **terms})
