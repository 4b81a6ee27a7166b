"""What the framework says of how a test was carried out: its conditions, and the calibration of its equipment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from pv_testing.core.errors import DataError
from pv_testing.domain.days import moment
from pv_testing.domain.reading import first, text
from pv_testing.domain.records import Execution


@dataclass(frozen=True, slots=True)
class ExecutionCondition:
    """One condition of a test, such as the irradiance.

    Attributes:
        name: as the framework calls it.
        actual: the value during the test, with its unit.
        target: the value that was wanted, with its unit; empty where the framework gives none.
        tolerance: as given.
        compliant: what the framework says of it; ``None`` where it says nothing.
    """

    name: str
    actual: str
    target: str = ""
    tolerance: str = ""
    compliant: bool | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """One piece of equipment that was used.

    Attributes:
        role: what it was used as, such as ``simulator``; empty where the framework only lists it.
        identity: such as ``SIM-001``.
        calibration_due: the day by which it must be calibrated again; ``None`` where the framework doesn't say.
    """

    role: str
    identity: str
    calibration_due: date | None = None

    @property
    def name(self) -> str:
        """Role and identity, as people say them."""
        return f"{self.role} {self.identity}".strip()


def read_conditions(execution: Execution) -> list[ExecutionCondition]:
    """Return the conditions of a test, in the framework's order."""
    conditions = first(execution.raw, "results.test_conditions", "test_conditions")
    if not isinstance(conditions, Mapping):
        return []
    return [_condition(name, each) for name, each in conditions.items() if isinstance(each, Mapping)]


def _condition(name: str, given: Mapping[str, Any]) -> ExecutionCondition:
    unit, compliant = given.get("unit"), given.get("compliant")
    return ExecutionCondition(
        name=text(name),
        actual=with_unit(given.get("actual"), unit),
        target=with_unit(given.get("target"), unit),
        tolerance=spelled(given.get("tolerance")),
        compliant=compliant if isinstance(compliant, bool) else None,
    )


def read_instruments(execution: Execution) -> list[Instrument]:
    """Return the equipment that was used, in the framework's order."""
    used = first(execution.raw, "equipment_used", "equipment") or ()
    named = used.items() if isinstance(used, Mapping) else (("", item) for item in used)
    return list(_instruments(named))


def _instruments(named: Any) -> Iterator[Instrument]:
    for role, item in named:
        if isinstance(item, Mapping):
            yield Instrument(text(role), text(item.get("id")), read_day(item.get("calibration_due")))
        else:
            yield Instrument(text(role), text(item))


def read_day(value: Any, zone: tzinfo | None = None) -> date | None:
    """Return the calendar day of a date or a point in time, or ``None`` where it is none.

    Args:
        value: a date, which stays as it is, or a point in time.
        zone: where the day of a point in time counts; without one it is the day that is written.
    """
    if zone is not None and (isinstance(value, datetime) or len(text(value)) > len("2025-11-13")):
        try:
            return moment(value).astimezone(zone).date()
        except DataError:
            return None
    if isinstance(value, datetime):
        return value.date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(text(value)[:10])
    except ValueError:
        return None


def with_unit(value: Any, unit: Any) -> str:
    """Return a value with its unit; nothing where there is no value."""
    words = spelled(value)
    return f"{words} {text(unit)}".strip() if words else ""


def spelled(value: Any) -> str:
    """Return a value as people read it, such as ``min -3, max 5, unit %`` for a tolerance in parts."""
    if isinstance(value, Mapping):
        return ", ".join(f"{text(name)} {text(part)}" for name, part in value.items() if part is not None)
    return text(value)
