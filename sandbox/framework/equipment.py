"""The laboratory's equipment, and when each piece is calibrated: every so many days, and some late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple


class Cycle(NamedTuple):
    """How a piece is calibrated: ``due`` once and every ``days`` from then, done ``late`` days after it was due."""

    due: date
    days: int
    late: int = 0


CYCLES = {
    "SIM-001": Cycle(date(2025, 11, 24), 182),
    "IVT-001": Cycle(date(2026, 2, 16), 182, late=5),
    "TC-001": Cycle(date(2026, 4, 7), 365),
    "DMM-001": Cycle(date(2026, 1, 12), 365),
}


def described(equipment: Mapping[str, str], completed_at: str) -> dict[str, object]:
    """Return the used equipment with its calibration at the time, as the framework's example file has it.

    Args:
        equipment: ids by their role.
        completed_at: when the test ended.
    """
    day = date.fromisoformat(completed_at[:10])
    return {role: _piece(identity, day) for role, identity in equipment.items()}


def _piece(identity: str, day: date) -> object:
    cycle = CYCLES.get(identity)
    if cycle is None:
        return identity
    passed = (day - timedelta(days=cycle.late) - cycle.due).days
    due = cycle.due + timedelta(days=-(-passed // cycle.days) * cycle.days)
    calibrated = due - timedelta(days=cycle.days - cycle.late)
    return {
        "id": identity,
        "calibration_date": calibrated.isoformat(),
        "calibration_due": due.isoformat(),
        "status": "CALIBRATED" if due >= day else "OVERDUE",
    }
