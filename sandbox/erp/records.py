"""The ERP's records in its own SQLite file, and the sums that it makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.erp.models import ConsumableIn, CreditNoteIn, CustomerIn, InvoiceIn, LineIn, MovementIn, dumped
from sandbox.problems import HttpProblem
from sandbox.register import Register, table
from sandbox.store import Database
from sandbox.times import now

_TABLES = ("customers", "invoices", "credit_notes", "stock_movements", "consumables")
SCHEMA = "".join(table(name) for name in _TABLES)
BUSINESS_KEYS: dict[str, tuple[str, ...]] = dict.fromkeys(_TABLES, ("external_id",))
CENT = Decimal("0.01")
DRAFT, POSTED, PAID, CANCELLED = "DRAFT", "POSTED", "PAID", "CANCELLED"
# The movements that may come before each: a module is received once, and leaves once.
FOLLOWS = {
    "RECEIVED": (None,),
    "STORED": ("RECEIVED",),
    "RETURNED": ("RECEIVED", "STORED"),
    "SCRAPPED": ("RECEIVED", "STORED"),
}


class ErpRecords:
    """The ERP's records.

    Args:
        store: its database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store
        self.customers = Register(store, "customers", "CUST", "Customer")
        self.invoices = Register(store, "invoices", "INV", "Invoice", with_invoice_id)
        self.credit_notes = Register(store, "credit_notes", "CRN", "Credit note")
        self.movements = Register(store, "stock_movements", "MOV", "Stock movement")
        self.consumables = Register(store, "consumables", "CON", "Consumable")

    def create_customer(self, customer: CustomerIn) -> dict[str, Any]:
        """Keep a customer, who is known by the name."""
        return self.customers.get(self.customers.add(customer.name, customer.model_dump()))

    def create_invoice(self, invoice: InvoiceIn) -> dict[str, Any]:
        """Keep an invoice as a draft, with the sums that the ERP makes of its lines."""
        return self.invoices.get(self.invoices.add(invoice.reference, self._invoice(invoice), DRAFT))

    def change_invoice(self, identity: str, invoice: InvoiceIn) -> dict[str, Any]:
        """Put another content in the place of a draft's.

        Raises:
            HttpProblem: it is no draft any more.
        """
        self._require(identity, DRAFT, "can't be changed any more")
        return self.invoices.change(identity, self._invoice(invoice))

    def post_invoice(self, identity: str, total: str) -> dict[str, Any]:
        """Post a draft, if its total is the expected one; it is immutable then.

        Raises:
            HttpProblem: it is no draft, or its total is another.
        """
        invoice = self._require(identity, DRAFT, "can't be posted")
        if Decimal(invoice["total"]) != Decimal(total):
            message = f"Invoice {identity} comes to {invoice['total']}, not to {total}"
            raise HttpProblem(409, "AMOUNT_MISMATCH", message)
        return self.invoices.change(identity, {"posted_at": now()}, POSTED)

    def pay_invoice(self, identity: str, at: str) -> dict[str, Any]:
        """Note the payment of a posted invoice."""
        self._require(identity, POSTED, "can't be paid")
        return self.invoices.change(identity, {"paid_at": at}, PAID)

    def cancel_invoice(self, identity: str) -> dict[str, Any]:
        """Note that a draft was cancelled."""
        self._require(identity, DRAFT, "can't be cancelled")
        return self.invoices.change(identity, {}, CANCELLED)

    def create_credit_note(self, note: CreditNoteIn) -> dict[str, Any]:
        """Post a credit note on a posted invoice.

        Raises:
            HttpProblem: the invoice isn't posted, or less was billed than is to be given back.
        """
        invoice = self.invoices.get(note.invoice_id)
        if invoice["status"] == DRAFT:
            raise HttpProblem(409, "INVALID_TRANSITION", f"Invoice {note.invoice_id} is a draft; change it instead")
        sums = sums_of(note.line_items, note.tax_rate)
        credited = Decimal(0)
        for other in self.credit_notes.having(invoice_id=note.invoice_id):
            if other["external_id"] != note.external_id:
                credited += Decimal(other["total"])
        if credited + Decimal(sums["total"]) > Decimal(invoice["total"]):
            raise HttpProblem(
                409, "CREDIT_TOO_HIGH", f"Invoice {note.invoice_id} was billed with {invoice['total']} only"
            )
        return self.credit_notes.get(self.credit_notes.add(note.external_id, {**dumped(note), **sums}, POSTED))

    def move(self, movement: MovementIn) -> dict[str, Any]:
        """Keep a stock movement of one module.

        Raises:
            HttpProblem: it can't follow the module's last one.
        """
        past = self.movements.having(serial_number=movement.serial_number, sr_number=movement.sr_number)
        last = past[-1]["movement"] if past else None
        if last not in FOLLOWS[movement.movement]:
            message = f"Module {movement.serial_number} can't be {movement.movement}; it is {last or 'not here'}"
            raise HttpProblem(409, "INVALID_TRANSITION", message)
        return self.movements.get(self.movements.add(movement.external_id, dumped(movement), movement.movement))

    def draw(self, consumable: ConsumableIn) -> dict[str, Any]:
        """Keep a draw of a consumable."""
        return self.consumables.get(self.consumables.add(consumable.external_id, dumped(consumable)))

    def _invoice(self, invoice: InvoiceIn) -> dict[str, Any]:
        self.customers.get(invoice.customer_id)
        if invoice.due_date < invoice.invoice_date:
            raise _invalid("due_date", "is before invoice_date")
        sums = sums_of(invoice.line_items, invoice.tax_rate)
        for name, value in sums.items():
            given = getattr(invoice, name)
            if given is not None and Decimal(given) != Decimal(value):
                raise _invalid(name, f"is {value}, not {given}")
        return {**invoice.model_dump(), **sums}

    def _require(self, identity: str, status: str, why: str) -> dict[str, Any]:
        invoice = self.invoices.get(identity)
        if invoice["status"] != status:
            raise HttpProblem(409, "INVALID_TRANSITION", f"Invoice {identity} is {invoice['status']} and {why}")
        return invoice


def with_invoice_id(invoice: dict[str, Any]) -> dict[str, Any]:
    """Return an invoice with the name that the integration guide gives its id."""
    return {**invoice, "invoice_id": invoice["id"]}


def sums_of(lines: Sequence[LineIn], rate: str) -> dict[str, str]:
    """Return subtotal, tax and total, each line and the tax rounded half up to the cent.

    Raises:
        HttpProblem: a line's own total is another.
    """
    subtotal = Decimal(0)
    for place, line in enumerate(lines):
        total = (Decimal(line.quantity) * Decimal(line.unit_price)).quantize(CENT, ROUND_HALF_UP)
        if total != Decimal(line.total):
            raise _invalid(f"line_items.{place}.total", f"is {total}, not {line.total}")
        subtotal += total
    tax = (subtotal * Decimal(rate) / 100).quantize(CENT, ROUND_HALF_UP)
    return {"subtotal": str(subtotal), "tax": str(tax), "total": str(subtotal + tax)}


def _invalid(field: str, message: str) -> HttpProblem:
    return HttpProblem(
        422, "VALIDATION_ERROR", "The request is not valid", details=[{"field": field, "message": message}]
    )
