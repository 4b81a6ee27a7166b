"""When a delivery that has failed is tried again: the schedule of Standard Webhooks."""

from __future__ import annotations

import random
from datetime import datetime, timezone

MINUTE, HOUR = 60.0, 3_600.0
SCHEDULE = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds between one try and the next, https://www.standardwebhooks.com; after the last one there is none."""
JITTER = 0.2


def wait(attempts: int, chance: random.Random | None = None) -> float | None:
    """Return the seconds until the next try, up to a fifth more or less; ``None`` where there is none.

    Args:
        attempts: how many tries there were.
        chance: where the jitter comes from.
    """
    if not 1 <= attempts <= len(SCHEDULE):
        return None
    return SCHEDULE[attempts - 1] * (chance or random).uniform(1 - JITTER, 1 + JITTER)


def instant(epoch: float) -> str:
    """Return epoch seconds as RFC 3339 in UTC with whole seconds, as the integration guide prints it."""
    return datetime.fromtimestamp(int(epoch), timezone.utc).isoformat().replace("+00:00", "Z")
