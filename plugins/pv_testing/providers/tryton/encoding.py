"""Decimals and dates as Tryton's JSON has them: objects that name their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

CLASS = "__class__"


def encoded(value: Any) -> Any:
    """Return a value as Tryton's JSON has it.

    Args:
        value: what JSON knows, decimals and dates, in lists and mappings of any depth.
    """
    if isinstance(value, Decimal):
        return {CLASS: "Decimal", "decimal": str(value)}
    if isinstance(value, date) and not isinstance(value, datetime):
        return {CLASS: "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Mapping):
        return {name: encoded(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encoded(each) for each in value]
    return value


def decoded(value: Any) -> Any:
    """Return what Tryton says with decimals and dates as Python has them; other classes stay as they are.

    Raises:
        ArithmeticError: a decimal is no number.
        ValueError: a date is none.
        KeyError: one of its parts is missing.
    """
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(CLASS)
    if kind == "Decimal":
        return Decimal(value["decimal"])
    if kind == "date":
        return date(value["year"], value["month"], value["day"])
    return {name: decoded(each) for name, each in value.items()}
