"""Amounts of money: decimal, and exact until they are rounded half-up to what the currency can pay."""

from __future__ import annotations

import functools
from decimal import ROUND_HALF_UP, Decimal

UNIT_PLACES = 4


def exact(value: str | int | Decimal) -> Decimal:
    """Return a number with exactly the digits that it was written with.

    Args:
        value: text such as ``"33.335"``, a whole number or a decimal.

    Raises:
        TypeError: it is a ``float`` (or anything else), whose digits are not those that were written.
        ValueError: it isn't a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise TypeError(f"money is decimal, never {type(value).__name__}")
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise ValueError("not a number")
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise ValueError("not a number") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


@functools.cache
def minor_digits(currency: str) -> int:
    """Return how many decimals amounts in a currency have: 2 for EUR, 0 for JPY, 3 for KWD.

    Args:
        currency: its ISO 4217 code.

    Raises:
        ValueError: there is no such currency, or it isn't one to pay with.
    """
    from iso4217 import Currency

    digits = Currency(currency).exponent
    if digits is None:
        raise ValueError(f"{currency} has no smallest unit to pay with")
    return int(digits)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return an amount rounded half-up to the currency's smallest unit: 100.005 EUR is 100.01 EUR."""
    return round_to(amount, minor_digits(currency))


def round_to(number: Decimal, places: int) -> Decimal:
    """Return a number rounded half-up to so many decimals."""
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def percent_of(amount: Decimal, rate: Decimal) -> Decimal:
    """Return so many per cent of an amount, unrounded."""
    return amount * rate.scaleb(-2)


def amount_text(number: Decimal, currency: str) -> str:
    """Return a number with at least the currency's decimals and no exponent, such as ``500.00`` and ``33.335``."""
    least = minor_digits(currency)
    shortest = number.normalize()
    places = max(least, -int(shortest.as_tuple().exponent))
    return format(round_to(number, places), "f")
