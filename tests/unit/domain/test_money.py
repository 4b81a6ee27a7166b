"""Money is decimal and rounded half-up to what a currency can pay."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pv_testing.domain.money import amount_text, exact, minor_digits, percent_of, rounded


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("100.005", "EUR", "100.01"),
        ("100.0049999", "EUR", "100.00"),
        ("2.675", "USD", "2.68"),
        ("1234.5", "JPY", "1235"),
        ("2.5", "JPY", "3"),
        ("1.0005", "KWD", "1.001"),
        ("1", "KWD", "1.000"),
    ],
)
def test_a_half_is_rounded_up_to_the_smallest_unit_of_the_currency(amount: str, currency: str, expected: str) -> None:
    assert str(rounded(Decimal(amount), currency)) == expected


def test_nineteen_per_cent_of_4300_are_817() -> None:
    assert percent_of(Decimal("4300.00"), Decimal(19)) == Decimal("817.00")


@pytest.mark.parametrize(
    ("number", "currency", "expected"),
    [
        ("500", "EUR", "500.00"),
        ("5E+2", "EUR", "500.00"),
        ("33.335", "EUR", "33.335"),
        ("33.3350", "EUR", "33.335"),
        ("500.00", "JPY", "500"),
        ("0", "EUR", "0.00"),
        ("1000000", "KWD", "1000000.000"),
    ],
)
def test_money_is_written_with_the_decimals_of_its_currency(number: str, currency: str, expected: str) -> None:
    assert amount_text(Decimal(number), currency) == expected


@pytest.mark.parametrize("value", [33.335, True, None, b"1"])
def test_no_float_becomes_money(value: object) -> None:
    with pytest.raises(TypeError, match="never"):
        exact(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "twelve", ""])
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="number"):
        exact(value)


@pytest.mark.parametrize("currency", ["XAU", "ABC"])
def test_gold_and_unknown_codes_are_no_currency_to_pay_with(currency: str) -> None:
    with pytest.raises(ValueError, match=currency):
        minor_digits(currency)
