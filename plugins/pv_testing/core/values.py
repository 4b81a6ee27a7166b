"""Values in the shape that a system wants them in, or refused with a reason code; nothing is guessed.

Each function takes a value that is neither ``None`` nor empty and returns it converted, or raises
:class:`~pv_testing.core.errors.MappingError` without naming the field, which the field map adds.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason
from pv_testing.core.visible import visible

Converter = Callable[[Any], Any]

log = logging.getLogger(__name__)

_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[-+][0-9]{2}:[0-9]{2})?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HUGE = 2**63
_NUMBER_LENGTH = 64


def refused(code: str, value: Any, wanted: str) -> MappingError:
    """Return the error for a value of another type than the wanted one."""
    return MappingError(f"{str(value)[:60]!r} is not {wanted}", code=code)


def plain(value: Any) -> Any:
    """Return a value as JSON has it, its type unchanged where JSON knows it."""
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is int or kind is float:
        return number(value)
    if kind is dict or isinstance(value, Mapping):
        return {
            str(name): inner if inner is None or type(inner) is str else plain(inner) for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [None if inner is None else plain(inner) for inner in value]
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, str):
        return str(value)
    raise refused(Reason.TYPE, type(value).__name__, "a type that can be sent")


def string(value: Any) -> str:
    """Return text; a number becomes its digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise refused(Reason.NOT_TEXT, value, "text")
    return str(number(value)) if isinstance(value, float) else str(value)


def number(value: Any) -> int | float:
    """Return a finite number; text that spells one is read."""
    kind = type(value)
    if kind is float:
        if math.isfinite(value):
            return value  # type: ignore[no-any-return]
    elif kind is int:
        if -_HUGE <= value < _HUGE:
            return value  # type: ignore[no-any-return]
    elif kind is not bool:
        exact = _decimal(value)
        whole = exact == exact.to_integral_value() and abs(exact) < _HUGE and "." not in str(value)
        return int(exact) if whole else float(exact)
    raise refused(Reason.NOT_A_NUMBER, value, "a number")


def integer(value: Any) -> int:
    """Return a whole number."""
    converted = number(value)
    if converted != int(converted):
        raise refused(Reason.NOT_WHOLE, value, "a whole number")
    return int(converted)


def decimal(value: Any) -> str:
    """Return a number as text with all the digits that it came with."""
    if isinstance(value, bool):
        raise refused(Reason.NOT_A_NUMBER, value, "a number")
    _decimal(value)
    return str(value).strip()


def _decimal(value: Any) -> Decimal:
    text = str(value).strip()
    if isinstance(value, (str, int, float, Decimal)) and len(text) <= _NUMBER_LENGTH and text.isascii():
        try:
            exact = Decimal(text)
        except InvalidOperation:
            exact = Decimal("NaN")
        if "_" not in text and exact.is_finite() and abs(exact.adjusted()) < 300:
            return exact
    raise refused(Reason.NOT_A_NUMBER, value, "a number")


def boolean(value: Any) -> bool:
    """Return a truth value; ``true`` and ``false`` as text are read."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise refused(Reason.NOT_A_TRUTH_VALUE, value, "true or false")
    return known


def instant(value: Any, note: Callable[[Any], None] | None = None) -> str:
    """Return a point in time as RFC 3339 in UTC; one without zone is taken as UTC.

    Args:
        value: a ``datetime``, or text as RFC 3339 writes it.
        note: called with a value that has no zone.
    """
    moment = value if isinstance(value, datetime) else _parse(value)
    if moment.tzinfo is None:
        if note is not None:
            note(value)
        moment = moment.replace(tzinfo=timezone.utc)
    try:
        utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise refused(Reason.NOT_A_TIME, value, "a point in time") from None
    precision = "seconds" if not utc.microsecond else "milliseconds" if utc.microsecond % 1000 == 0 else "microseconds"
    return utc.isoformat(timespec=precision) + "Z"


def instants(field: str) -> Converter:
    """Return :func:`instant` for one field, with a warning at the first time that has no zone; a log isn't a list."""
    noted: list[Any] = []

    def note(value: Any) -> None:
        if not noted:
            log.warning("%s: %s has no zone and is taken as UTC, and so are all like it", field, visible(str(value)))
        noted[:] = [value]

    return lambda value: instant(value, note)


def _parse(value: Any) -> datetime:
    match = _RFC_3339.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        date_part, time_part, fraction, zone = match.groups(default="")
        microseconds = fraction[:6].ljust(6, "0")
        try:
            return datetime.fromisoformat(
                f"{date_part}T{time_part}.{microseconds}{zone.upper().replace('Z', '+00:00')}"
            )
        except ValueError:
            pass
    raise refused(Reason.NOT_A_TIME, value, "a point in time as RFC 3339 writes it")


def day(value: Any) -> str:
    """Return a calendar date as ``YYYY-MM-DD``; no zone is shifted."""
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    text = value.strip() if isinstance(value, str) else ""
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "").isoformat()
    except ValueError:
        raise refused(Reason.NOT_A_DATE, value, "a date as YYYY-MM-DD") from None


def sequence(value: Any) -> list[Any]:
    """Return a list; its content as :func:`plain` has it."""
    if not isinstance(value, (list, tuple)):
        raise refused(Reason.NOT_A_LIST, value, "a list")
    return [plain(inner) for inner in value]


def lines(value: Any) -> str:
    """Return a value as text: a line for each item of a list and, with its name, for each value of a mapping."""
    if isinstance(value, Mapping):
        named = ((str(name), lines(inner)) for name, inner in value.items() if inner not in {None, ""})
        return "\n".join(f"{name}: {text}" for name, text in named if text)
    if isinstance(value, (list, tuple)):
        return "\n".join(", ".join(lines(inner).splitlines()) for inner in value if inner is not None)
    return str(plain(value))


CONVERTERS: Mapping[str, Converter] = {
    "string": string,
    "number": number,
    "integer": integer,
    "decimal": decimal,
    "boolean": boolean,
    "datetime": instant,
    "date": day,
    "list": sequence,
    "text": lines,
}


def limited(convert: Converter, length: int) -> Converter:
    """Return a converter that also refuses values longer than a system takes; nothing is cut off silently."""

    def checked(value: Any) -> Any:
        converted = convert(value)
        if len(converted) > length:
            code = Reason.TOO_LONG
            raise MappingError(f"has {len(converted)} characters, the system takes {length}", code=code)
        return converted

    return checked
