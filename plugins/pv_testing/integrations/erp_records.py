"""What the ERP is told, from the integration guide's words: invoices, credit notes, customers and stock.

Amounts become decimal text with exactly the digits that were written: 33.335 is ``33.335``, also where it came as a
``float``, whose shortest spelling is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.core import keys
from pv_testing.core.errors import DataError, MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Record
from pv_testing.core.values import day
from pv_testing.domain.money import exact, minor_digits, percent_of, round_to
from pv_testing.integrations.given import Given, refuse_unknown

USUAL_DIGITS = 2
_TERMS = ("po_number", "notes")
_BILLED = ("reference", "customer_id", "invoice_date", "line_items", "currency", "tax_rate", "tax")
INVOICE = (*_BILLED, *_TERMS, "due_date")
CREDIT_NOTE = (*_BILLED, "invoice_id", "reason")
LINE = ("description", "quantity", "unit_price", "total", "protocol_id")
_CONTACT = ("contact_person", "email", "phone", "address")


def amount(value: Any) -> Decimal:
    """Return a number as a decimal without a binary fraction.

    Args:
        value: a whole number, a decimal, text, or a ``float``, of which the digits count that Python prints.

    Raises:
        MappingError: it is no finite number (``NOT_A_NUMBER``).
    """
    try:
        return exact(repr(value) if isinstance(value, float) else value)
    except (TypeError, ValueError) as error:
        raise MappingError(f"{str(value)[:40]!r} is no amount: {error}", code=Reason.NOT_A_NUMBER) from None


def plain(number: Decimal) -> str:
    """Return a decimal as text without an exponent."""
    return format(number, "f")


def invoice(given: Given) -> Record:
    """Return the record of an invoice; its key is the reference, which is the service request's number."""
    reference = str(given.get("reference") or "")
    head = {
        "sr_number": reference,
        "reference": reference,
        "customer_id": given.get("customer_id"),
        "invoice_date": given.get("invoice_date"),
        "due_date": given.get("due_date"),
        **_nonempty(given, _TERMS),
    }
    return _record(
        keys.compose(reference), "reference", head, lambda: {**_only(given, INVOICE), **_terms(given), **_sums(given)}
    )


def posting(key: str, invoice_id: str, total: Any) -> Record:
    """Return the record of posting a draft that comes to a total."""
    data = {"invoice_id": invoice_id, "total": str(total)}
    return _record(key, "reference", data, lambda: {"invoice_id": invoice_id, "total": plain(amount(total))})


def credit_note(given: Given) -> Record:
    """Return the record of a credit note; its key is the reference."""
    key = str(given.get("reference") or "")
    head = {
        "credit_note_key": key,
        **_nonempty(given, ("customer_id", "invoice_id", "invoice_date", "reason")),
    }
    return _record(key, "reference", head, lambda: {**_only(given, CREDIT_NOTE), **_sums(given)})


def customer(given: Given) -> Record:
    """Return the record of a customer; its key is the name."""
    name = str(given.get("name") or "")
    return _record(name, "name", {"name": name, **_nonempty(given, _CONTACT)}, dict)


def stock_movement(given: Given) -> Record:
    """Return the record of a module's movement; its key names service request, serial number and movement."""
    parts = [str(given.get(name) or "") for name in ("sr_number", "serial_number", "movement")]
    key = keys.compose(*parts) if all(parts) else ""
    return _record(key, "sr_number, serial_number and movement", {**given, "movement_key": key}, dict)


def consumable(given: Given) -> Record:
    """Return the record of what one execution has used up of an item; its key names both."""
    parts = [str(given.get(name) or "") for name in ("execution_id", "item")]
    key = keys.compose(*parts) if all(parts) else ""
    data = {**given, "consumable_key": key}
    return _record(key, "execution_id and item", data, lambda: {"quantity": plain(amount(given.get("quantity")))})


def _record(key: str, named: str, data: dict[str, Any], rest: Callable[[], Mapping[str, Any]]) -> Record:
    """Return a record, or one with its problem where it has no key or its amounts can't be used."""
    if not key:
        return Record(f"(no {named})", data, MappingError(f"Missing field: {named}", code=Reason.FIELD_MISSING))
    try:
        return Record(key, {**data, **rest()})
    except DataError as error:
        return Record(key, data, error)


def _only(given: Given, known: Sequence[str]) -> Mapping[str, Any]:
    """Return nothing, or refuse a field that would be lost."""
    refuse_unknown(given, known)
    return {}


def _nonempty(given: Given, names: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if given.get(name)}


def _terms(given: Given) -> dict[str, Any]:
    """Return the days until an invoice is due, where both dates are given."""
    if not (given.get("invoice_date") and given.get("due_date")):
        return {}
    first, last = date.fromisoformat(day(given["invoice_date"])), date.fromisoformat(day(given["due_date"]))
    return {"payment_days": (last - first).days}


def _sums(given: Given) -> dict[str, Any]:
    """Return lines, tax and totals, each line and the tax rounded half-up."""
    currency = str(given.get("currency") or "")
    digits = _digits(currency)
    lines: list[dict[str, Any]] = []
    subtotal = Decimal(0)
    for number, item in enumerate(given.get("line_items") or (), start=1):
        line = _line(number, item, digits)
        lines.append(line)
        subtotal += Decimal(line["total"])
    rate = amount(given.get("tax_rate") or 0)
    tax = round_to(percent_of(subtotal, rate), digits)
    given_tax = given.get("tax")
    if given_tax is not None and amount(given_tax) != tax:
        raise MappingError(f"the tax is {tax} at {plain(rate)} %, not {plain(amount(given_tax))}", code="SUM_WRONG")
    sums = {"subtotal": plain(subtotal), "tax_rate": plain(rate), "tax": plain(tax), "total": plain(subtotal + tax)}
    return {"line_items": lines, **sums, **({"currency": currency} if currency else {})}


def _digits(currency: str) -> int:
    try:
        return minor_digits(currency) if currency else USUAL_DIGITS
    except ValueError:
        raise MappingError(f"{currency!r} is no currency; write its ISO 4217 code", code="CURRENCY_UNKNOWN") from None


def _line(number: int, line: Given, digits: int) -> dict[str, Any]:
    refuse_unknown(line, LINE, f"line_items.{number}.")
    quantity, price = amount(_needed(number, line, "quantity")), amount(_needed(number, line, "unit_price"))
    product = quantity * price
    total = round_to(product, digits)
    given_total = line.get("total")
    if given_total is not None and abs(amount(given_total) - product) > Decimal(1).scaleb(-digits):
        text = f"line {number}: {plain(quantity)} × {plain(price)} is {total}, not {plain(amount(given_total))}"
        raise MappingError(text, code="SUM_WRONG")
    named = {"description": _needed(number, line, "description"), **_nonempty(line, ("protocol_id",))}
    return {**named, "quantity": plain(quantity), "unit_price": plain(price), "total": plain(total)}


def _needed(number: int, line: Given, name: str) -> Any:
    if line.get(name) in {None, ""}:
        raise MappingError(f"Missing field: line_items.{number}.{name}", code=Reason.FIELD_MISSING)
    return line[name]
