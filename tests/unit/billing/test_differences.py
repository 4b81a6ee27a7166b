"""What an ERP has computed otherwise is said to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pv_testing.billing import differences
from tests.unit.billing.orders import bill, order, rules

INVOICE = bill(order(), rules({"PVTP-001": "33.335"}, tax={"category": "S", "rate": "19"}))


@pytest.mark.parametrize("amounts", [("100.01", "19.00", "119.01"), (Decimal("100.010"), "19", "119.01")])
def test_equal_amounts_are_no_difference(amounts: tuple) -> None:
    assert differences(INVOICE, *amounts) == []


def test_rounding_to_the_even_digit_is_seen() -> None:
    assert differences(INVOICE, "100.00", "19.00", "119.00") == [
        "subtotal: ours is 100.01 EUR, the ERP's 100.00 EUR, 0.01 less",
        "total: ours is 119.01 EUR, the ERP's 119.00 EUR, 0.01 less",
    ]


@pytest.mark.parametrize(
    ("tax", "difference"),
    [
        ("19.01", "tax: ours is 19.00 EUR, the ERP's 19.01 EUR, 0.01 more"),
        ("19.001", "tax: ours is 19.00 EUR, the ERP's 19.001 EUR, 0.001 more"),
        (None, "tax: ours is 19.00 EUR, the ERP gives none"),
        ("", "tax: ours is 19.00 EUR, the ERP gives none"),
        ("NaN", "tax: ours is 19.00 EUR, the ERP's 'NaN' is no decimal number"),
        (19.0, "tax: ours is 19.00 EUR, the ERP's '19.0' is no decimal number"),
    ],
)
def test_what_is_missing_or_no_decimal_is_a_difference(tax: Any, difference: str) -> None:
    assert differences(INVOICE, "100.01", tax, "119.01") == [difference]
