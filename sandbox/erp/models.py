"""The records that the ERP accepts. Amounts are decimal text, never JSON numbers; unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sandbox.fields import Day, Stamp, Strict, Text
from sandbox.paging import Page

Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Movement = Literal["RECEIVED", "STORED", "RETURNED", "SCRAPPED"]


class CustomerIn(Strict):
    """A customer to create."""

    name: Text
    contact_person: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None


class LineIn(Strict):
    """One line of an invoice."""

    description: Text
    quantity: Amount
    unit_price: Amount
    total: Amount
    protocol_id: str | None = None


class InvoiceIn(Strict):
    """An invoice to create or to change."""

    customer_id: Text
    invoice_date: Day
    due_date: Day
    reference: Text
    line_items: list[LineIn] = Field(min_length=1, max_length=200)
    currency: Currency = "EUR"
    notes: str | None = None
    po_number: str | None = None
    tax_rate: Amount = "0"
    subtotal: Amount | None = None
    tax: Amount | None = None
    total: Amount | None = None


class PostIn(Strict):
    """The total that the caller expects, and the status that is the only one to ask for."""

    total: Amount
    status: Literal["POSTED"] = "POSTED"


class PayIn(Strict):
    """When the money came."""

    at: Stamp


class CreditNoteIn(Strict):
    """A credit note to post."""

    external_id: Text
    invoice_id: Text
    invoice_date: Day
    currency: Currency
    reason: Text
    line_items: list[LineIn] = Field(min_length=1, max_length=200)
    tax_rate: Amount = "0"


class MovementIn(Strict):
    """A module comes, is put away, or goes."""

    external_id: Text
    serial_number: Text
    sr_number: Text
    movement: Movement
    date: Day
    product: str | None = None
    customer_id: str | None = None


class ConsumableIn(Strict):
    """Something that a test uses up."""

    external_id: Text
    item: Text
    quantity: Amount
    unit: Text
    date: Day
    execution_id: Text


class CustomerQuery(Page):
    """Which customers to list."""

    external_id: str | None = Field(default=None, alias="name")


class InvoiceQuery(Page):
    """Which invoices to list."""

    external_id: str | None = Field(default=None, alias="reference")
    status: str | None = None
    customer_id: str | None = None


class KeyQuery(Page):
    """Which documents to list."""

    external_id: str | None = None


def dumped(model: Strict) -> dict[str, Any]:
    """Return a model's fields but for its business key."""
    return model.model_dump(exclude={"external_id"})
