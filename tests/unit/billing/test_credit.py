"""Credit notes give back what was billed, with positive amounts."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from pv_testing.billing import credit_note_of, credit_note_record
from pv_testing.core.errors import DataError
from tests.unit.billing.orders import APPROVED, BERLIN, bill, order, rules

WITHDRAWN = datetime(2026, 1, 31, 23, 30, tzinfo=timezone.utc)
INVOICE = bill(
    order(["PVTP-001", "PVTP-018"]),
    rules({"PVTP-001": "33.335", "PVTP-018": "3000.00"}, tax={"category": "S", "rate": "19"}),
)


def credit(protocol: str = "PVTP-001"):
    return credit_note_of(INVOICE, protocol, invoice_id="42", withdrawn_at=WITHDRAWN, zone=BERLIN)


def test_the_record_has_the_shape_that_contracts_read() -> None:
    record = credit_note_record(credit())
    assert record.key == "SR-2025-0123/PVTP-001"
    assert record.data == {
        "credit_note_key": "SR-2025-0123/PVTP-001",
        "sr_number": "SR-2025-0123",
        "protocol_id": "PVTP-001",
        "customer_id": "17",
        "invoice_id": "42",
        "invoice_date": "2026-02-01",
        "currency": "EUR",
        "reason": "PVTP-001 was withdrawn",
        "line_items": [
            {
                "protocol_id": "PVTP-001",
                "description": "PVTP-001: STC Power Measurement",
                "quantity": "3",
                "unit_price": "33.335",
                "total": "100.01",
            }
        ],
        "subtotal": "100.01",
        "tax_rate": "19",
        "tax": "19.00",
        "total": "119.01",
        "reference": "SR-2025-0123",
    }


def test_only_what_was_billed_is_given_back() -> None:
    with pytest.raises(DataError, match="PVTP-044") as caught:
        credit("PVTP-044")
    assert caught.value.code == "NOTHING_TO_CREDIT"
    assert caught.value.key == "SR-2025-0123/PVTP-044"


def test_an_invoice_is_no_credit_note() -> None:
    with pytest.raises(ValueError, match="not a credit note"):
        credit_note_record(INVOICE)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        credit_note_of(INVOICE, "PVTP-001", invoice_id="42", withdrawn_at=APPROVED.replace(tzinfo=None), zone=BERLIN)
