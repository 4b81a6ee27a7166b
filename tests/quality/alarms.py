"""Runs the analysis every day of a generated history, as the DAG does, and counts alarms and days until they come."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pv_testing.quality.analysis import Analyst, Earlier
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.finding import CapaFinding
from pv_testing.quality.history import History
from tests.quality.histories import FIRST_DAY, Laboratory, Rise

OPEN_DAYS = 60
YEAR = 365


def alarms(history: History, policy: CapaPolicy, first: int, last: int) -> Iterator[tuple[int, CapaFinding]]:
    """Give each finding with its day; each becomes a CAPA that is open for two months.

    Args:
        history: what was tested.
        policy: the rules.
        first: the first day of the analysis, counted from the history's first.
        last: the day after the last.
    """
    earlier: dict[str, Earlier] = {}
    for day in range(first, last):
        at = FIRST_DAY + timedelta(days=day, hours=12)
        earlier = {scope: _closed(known, at) for scope, known in earlier.items()}
        for finding in Analyst(history, policy, at, earlier).analyse().findings:
            known = earlier.get(finding.scope, Earlier())
            begun = at - timedelta(days=finding.window_days)
            dealt_with = (*known.dealt_with, (begun, at + timedelta(days=OPEN_DAYS)))
            earlier[finding.scope] = Earlier(known.number + 1, finding.key, None, dealt_with)
            yield day, finding


def _closed(known: Earlier, at: datetime) -> Earlier:
    closes = known.dealt_with[-1][1]
    return replace(known, open="", closed_at=closes) if known.open and at >= closes else known


def false_alarms(laboratory: Laboratory, policy: CapaPolicy, seeds: Sequence[int]) -> float:
    """Return how many findings a year come about by chance; the first year is the baseline."""
    count = sum(1 for seed in seeds for _ in alarms(laboratory.history(seed), policy, YEAR, laboratory.days))
    return count / (len(seeds) * (laboratory.days - YEAR) / YEAR)


def found_after(
    laboratory: Laboratory, policy: CapaPolicy, seeds: Sequence[int], rise: Rise, horizon: int = 90
) -> list[int]:
    """Return the days until a planted rise was found, one number a seed; histories without a finding give none.

    Args:
        laboratory: of the histories.
        policy: the rules.
        seeds: of the histories.
        rise: to plant.
        horizon: days after which the search ends.
    """
    delays = []
    for seed in seeds:
        history = laboratory.history(seed, rise)
        for day, finding in alarms(history, policy, rise.day, rise.day + horizon):
            if finding.value == rise.protocol:
                delays.append(day - rise.day)
                break
    return sorted(delays)


def summary(days: Sequence[int], histories: int) -> str:
    """Return days until a rise was found in words: the median, nine out of ten, and how many were found at all."""
    if not days:
        return "never"
    tenth = days[round(0.9 * (len(days) - 1))]
    return f"{statistics.median(days):.0f} days, 90 % within {tenth}, {len(days) / histories:.0%} found"
