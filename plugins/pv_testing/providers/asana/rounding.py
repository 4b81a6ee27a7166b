"""Whole minutes whose sum is right: Asana takes no parts of a minute, and many rounded ones would add up wrongly.

What is left over of one entry goes into the next one of the same task. Which entry has how many minutes is kept in the
ledger before it is sent, so that a repetition sends the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

Allotted = dict[str, list[str]]


def allot(kept: Mapping[str, list[str]], key: str, hours: str) -> Allotted:
    """Return the minutes of every entry of a task, with those of one more.

    Args:
        kept: by business key, the exact hours and the minutes of an entry.
        key: of the entry.
        hours: its exact hours; other ones than before change its own minutes only.
    """
    if key in kept and kept[key][0] == hours:
        return dict(kept)
    others = {name: entry for name, entry in kept.items() if name != key}
    exact = sum((Decimal(entry[0]) for entry in others.values()), Decimal(hours)) * 60
    given = sum(int(entry[1]) for entry in others.values())
    minutes = max(0, int(exact.quantize(Decimal(1), ROUND_HALF_UP)) - given)
    return {**others, key: [hours, str(minutes)]}
