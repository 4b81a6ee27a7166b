"""What some service requests need in Tryton: customers, invoices, postings, credit notes, stock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.core.records import Record
from tests.live.tryton import plan

REQUESTS = tuple(f"SR-2024-{number:04}" for number in range(1, 13))
PROTOCOLS = ("PVTP-001", "PVTP-011", "PVTP-018")
WITHDRAWN = dict.fromkeys(REQUESTS[::4], "PVTP-018")
NEW_CUSTOMERS = ("Helios Modules", "Sonnwend Solar")
MODULES = ("SN001", "SN002")
QUANTITY, PRICE, RATE = 12, Decimal("350.00"), Decimal("0.19")
MOVEMENTS = ("RECEIVED", "STORED", "RETURNED")
EXECUTIONS = tuple(str(number) for number in range(9001, 9007))
LITERS = "0.25"


def total(lines: int, quantity: int = QUANTITY) -> Decimal:
    """Return what so many lines come to, tax included."""
    return (lines * quantity * PRICE * (1 + RATE)).quantize(Decimal("0.01"))


def customers() -> Iterator[Record]:
    """Give the customers: those that Tryton has, and those that it hasn't."""
    for name in (plan.CUSTOMER, *NEW_CUSTOMERS):
        yield Record(name, {"name": name, "email": "billing@solar.example", "address": "Sun Road 1"})


def invoices(codes: Mapping[str, str], on: date) -> Iterator[Record]:
    """Give an invoice a service request; the customers take turns."""
    names = sorted(codes)
    for place, sr in enumerate(REQUESTS):
        known: dict[str, Any] = {"customer_id": codes[names[place % len(names)]], "currency": "EUR"}
        lines = [_line(protocol, QUANTITY) for protocol in PROTOCOLS]
        dates = {"invoice_date": on.isoformat(), "due_date": on.isoformat()}
        yield Record(sr, {**known, **dates, "line_items": lines, "total": str(total(len(lines)))})


def postings(numbers: Mapping[str, str]) -> Iterator[Record]:
    """Give the posting of each invoice."""
    for sr, number in numbers.items():
        yield Record(sr, {"invoice_id": number, "total": str(total(len(PROTOCOLS)))})


def credit_notes(codes: Mapping[str, str], numbers: Mapping[str, str], on: date) -> Iterator[Record]:
    """Give a credit note a protocol that was withdrawn."""
    owners = {record.key: record.data["customer_id"] for record in invoices(codes, on)}
    for sr, protocol in WITHDRAWN.items():
        known = {"customer_id": owners[sr], "invoice_id": numbers[sr], "invoice_date": on.isoformat()}
        given = {"currency": "EUR", "reason": f"{protocol} was withdrawn", "total": str(total(1))}
        yield Record(f"{sr}/{protocol}", {**known, **given, "line_items": [_line(protocol, QUANTITY)]})


def movements(movement: str, on: date) -> Iterator[Record]:
    """Give one movement of every module."""
    for sr in REQUESTS[:4]:
        for serial in MODULES:
            data = {"sr_number": sr, "serial_number": serial, "movement": movement, "date": on.isoformat()}
            yield Record(f"{sr}/{serial}/{movement}", data)


def draws(on: date) -> Iterator[Record]:
    """Give what each execution has used up."""
    for execution in EXECUTIONS:
        data = {"execution_id": execution, "item": plan.CLEANER, "quantity": LITERS, "unit": "l"}
        yield Record(f"{execution}/{plan.CLEANER}", {**data, "date": on.isoformat()})


def _line(protocol: str, quantity: int) -> dict[str, str]:
    return {
        "protocol_id": protocol,
        "description": f"{protocol}: test",
        "quantity": str(quantity),
        "unit_price": str(PRICE),
    }
