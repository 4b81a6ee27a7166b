"""Measurement units: converted exactly, or refused; never relabelled.

Arithmetic is decimal, so that 0.4025 kW are 402.5 W and not 402.49999999999994 W.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Any

from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason

_PLAUSIBLE = re.compile(r"[\w%°ΩΩµμ·⋅*/^()²³⁻¹⁰⁴.\- ]{1,40}")
_POWER = re.compile(r"(?:\*\*|\^)\s*\(?\s*-?\s*[0-9]{2,}|(?:\*\*|\^).*(?:\*\*|\^)")
_ALSO = {"Ohm": "ohm", "OHM": "ohm", "fraction": "dimensionless", "1": "dimensionless", "Nm": "N*m", "pct": "%"}

Number = int | float | Decimal


def convert(value: Number, source: str, target: str, *, difference: bool = False) -> Number:
    """Convert a number from one unit to another.

    Args:
        value: the number; its type is kept, but that an ``int`` may become a ``float``.
        source: the unit it is in.
        target: the unit it is wanted in.
        difference: whether it is a difference or an uncertainty, for which 1 °C is 1 K.

    Raises:
        MappingError: ``UNIT_UNKNOWN`` or ``UNIT_MISMATCH``.
    """
    if source == target:
        return value
    scale, offset = _line(source, target)
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    result = number * scale + (0 if difference else offset)
    if isinstance(value, Decimal):
        return result.normalize()
    return int(result) if result == result.to_integral_value() and isinstance(value, int) else float(result)


def is_known(unit: str) -> bool:
    """Say whether a unit can be converted at all."""
    try:
        _unit(unit)
    except MappingError:
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _line(source: str, target: str) -> tuple[Decimal, Decimal]:
    """Return scale and offset of the straight line that leads from one unit to another."""
    from pint.errors import DimensionalityError, OffsetUnitCalculusError

    units = _registry()
    here, there = _unit(source), _unit(target)
    try:
        zero, one, two = (units.Quantity(Decimal(number), here).to(there).magnitude for number in (0, 1, 2))
    except (DimensionalityError, OffsetUnitCalculusError):
        raise MappingError(f"{source[:40]!r} can't be converted to {target!r}", code=Reason.UNIT_MISMATCH) from None
    except TypeError:  # older releases of pint can't take the logarithm of a decimal number
        raise MappingError(f"{source[:40]!r} and {target!r} aren't proportional", code=Reason.UNIT_MISMATCH) from None
    if abs((two - one) - (one - zero)) > Decimal("1e-12") * abs(two - zero):
        raise MappingError(f"{source[:40]!r} and {target!r} aren't proportional", code=Reason.UNIT_MISMATCH)
    return _short(one - zero), _short(zero)


def _short(number: Decimal) -> Decimal:
    """Cut what the conversion of an inexact constant adds behind the digits that count."""
    return number.quantize(Decimal(1).scaleb(number.adjusted() - 20)).normalize() if number else Decimal(0)


def _unit(text: str) -> Any:
    if not _PLAUSIBLE.fullmatch(text) or _POWER.search(text):
        raise MappingError(f"unknown unit {text[:40]!r}", code=Reason.UNIT_UNKNOWN)
    try:
        return _registry().Unit(_ALSO.get(text.strip(), text))
    except Exception:  # noqa: BLE001 - pint's parser raises whatever its tokeniser meets
        raise MappingError(f"unknown unit {text!r}", code=Reason.UNIT_UNKNOWN) from None


@functools.cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(non_int_type=Decimal, cache_folder=None)
