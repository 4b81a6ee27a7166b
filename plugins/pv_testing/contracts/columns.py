"""The columns of a database table: values as JSON has them, as a driver takes them, and back.

Both directions give the same form, so that what was sent equals what is found: a database that keeps ``402.500`` where
``402.5`` was sent has the same number. What a column can't hold whole is refused before it is sent, never cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pv_testing.core import values
from pv_testing.core.errors import MappingError
from pv_testing.core.reasons import Reason

Kind = Literal["text", "integer", "decimal", "number", "boolean", "date", "datetime", "instant"]
KINDS: tuple[Kind, ...] = ("text", "integer", "decimal", "number", "boolean", "date", "datetime", "instant")
MOMENTS = frozenset({"datetime", "instant"})
MICROSECONDS = 6


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column.

    Attributes:
        name: as the database has it, capitals included.
        kind: ``datetime`` is a column without zone, ``instant`` one that keeps the zone or UTC by itself.
        length: of text, the most characters; 0 for no limit.
        digits: of ``decimal``, the decimals that it keeps; of a point in time, those of its seconds; -1 for all.
        zone: in which a ``datetime`` is; an IANA name.
    """

    name: str
    kind: Kind = "text"
    length: int = 0
    digits: int = -1
    zone: str = "UTC"

    def sent(self, value: Any) -> Any:
        """Return a value as it is sent, in JSON's types.

        Args:
            value: as the field map has made it; ``None`` stays.

        Raises:
            MappingError: the column can't hold it.
        """
        if value is None:
            return None
        try:
            return _SENT[self.kind](self, value)
        except MappingError as error:
            raise MappingError(f"column {self.name}: {error.message}", code=error.code) from None

    def bound(self, value: Any) -> Any:
        """Return what the driver is given for a value that :meth:`sent` has made, or for the text of a parameter."""
        value = self.sent(value)
        if value is None or self.kind not in _BOUND:
            return value
        return _BOUND[self.kind](self, value)

    def read(self, value: Any) -> Any:
        """Return what the driver gave, in the form of :meth:`sent`; what doesn't fit is given as text, to be seen."""
        if value is None:
            return None
        if isinstance(value, datetime) and self.kind in MOMENTS:
            zone = timezone.utc if self.kind == "instant" else ZoneInfo(self.zone)
            value = value if value.tzinfo else value.replace(tzinfo=zone)
        try:
            return _SENT[self.kind](self, value, reading=True)
        except MappingError:
            return str(value)


def _text(column: TableColumn, value: Any, *, reading: bool = False) -> str:
    text = values.string(value)
    if column.length and len(text) > column.length and not reading:
        message = f"has {len(text)} characters, the column takes {column.length}"
        raise MappingError(message, code=Reason.TOO_LONG)
    return text


def _integer(_: TableColumn, value: Any, *, reading: bool = False) -> int:
    del reading
    return values.integer(value)


def _decimal(column: TableColumn, value: Any, *, reading: bool = False) -> str:
    exact = Decimal(values.decimal(value))
    text = format(exact.normalize(), "f") if exact else "0"
    decimals = len(text.partition(".")[2])
    if column.digits >= 0 and decimals > column.digits and not reading:
        message = f"{text[:60]} has {decimals} decimals, the column keeps {column.digits}"
        raise MappingError(message, code=Reason.TOO_PRECISE)
    return text


def _number(_: TableColumn, value: Any, *, reading: bool = False) -> float:
    del reading
    return float(values.number(value))


def _boolean(_: TableColumn, value: Any, *, reading: bool = False) -> bool:
    return bool(value) if reading and isinstance(value, int) else values.boolean(value)


def _date(_: TableColumn, value: Any, *, reading: bool = False) -> str:
    del reading
    return values.day(value)


def _moment(column: TableColumn, value: Any, *, reading: bool = False) -> str:
    """Return a point in time in UTC, with as many digits of a second as the column keeps; further ones are dropped."""
    del reading
    moment = _utc(values.instant(value))
    kept = MICROSECONDS if column.digits < 0 else min(column.digits, MICROSECONDS)
    step = 10 ** (MICROSECONDS - kept)
    return values.instant(moment.replace(microsecond=moment.microsecond // step * step))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _local(column: TableColumn, value: str) -> datetime:
    return _utc(value).astimezone(ZoneInfo(column.zone)).replace(tzinfo=None)


_SENT: Mapping[str, Callable[..., Any]] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _moment,
    "instant": _moment,
}
_BOUND: Mapping[str, Callable[[TableColumn, Any], Any]] = {
    "decimal": lambda _, value: Decimal(value),
    "date": lambda _, value: date.fromisoformat(value),
    "datetime": _local,
    "instant": lambda _, value: _utc(value),
}
