"""Counts the requests of the last hour and the last day, in sixtieths of the period.

A sixtieth counts until its last moment is a whole period ago. So no period of that length, wherever it begins, ever
holds more requests than the quota.
"""

from __future__ import annotations

from pv_testing.transports.limits import Rate

PARTS = 60
Counts = dict[str, int]


def prune(counts: Counts, seconds: float, now: float, back: float = 0.0) -> Counts:
    """Return the counts that still matter.

    Args:
        counts: of the quota.
        seconds: its period.
        now: epoch seconds.
        back: seconds by which the clock was set back since they were counted.
    """
    parts = int(back // (seconds / PARTS))
    kept = {str(int(part) - parts): number for part, number in counts.items()} if parts else counts
    return {part: number for part, number in kept.items() if _end(part, seconds) > now}


def add(counts: Counts, quota: Rate, number: int, at: float) -> None:
    """Count requests.

    Args:
        counts: of the quota; they are changed.
        quota: which.
        number: how many.
        at: epoch seconds of the last one.
    """
    part = str(int(at // (quota.seconds / PARTS)))
    counts[part] = counts.get(part, 0) + number


def free_at(counts: Counts, quota: Rate, allowed: int) -> float:
    """Return the epoch seconds at which fewer requests than allowed are counted; 0 where that is so now."""
    used = sum(counts.values())
    for part in sorted(counts, key=int):
        if used < allowed:
            break
        used -= counts[part]
        if used < allowed:
            return _end(part, quota.seconds)
    return 0.0


def _end(part: str, seconds: float) -> float:
    """Return the epoch seconds at which a part no longer counts."""
    return (int(part) + 1) * seconds / PARTS + seconds
