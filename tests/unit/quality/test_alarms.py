"""A year without a rise raises nothing where the guide's rule alone would; a planted rise is found within weeks."""

from __future__ import annotations

from datetime import timedelta

from tests.quality.alarms import false_alarms, found_after
from tests.quality.histories import FIRST_DAY, Laboratory, Rise
from tests.unit.quality.failing import policy

SMALL = Laboratory(protocols=6, a_month=50, days=545)
SEEDS = range(2)


def test_chance_and_busy_months_raise_nothing_where_the_guides_rule_alone_raises_many():
    alone = policy(signal="stated", also=[])
    assert false_alarms(SMALL, alone, SEEDS) >= 5
    assert false_alarms(SMALL, policy(), SEEDS) <= 1


def test_a_planted_rise_is_found_within_weeks():
    days = found_after(SMALL, policy(), SEEDS, Rise("PVTP-003", 450, 0.3), horizon=30)
    assert len(days) == len(SEEDS)
    assert max(days) <= 28


def test_a_generated_history_is_the_same_each_time():
    first, second = (SMALL.history(5).between(FIRST_DAY, FIRST_DAY + timedelta(days=200)) for _ in range(2))
    assert list(first) == list(second)
    assert len(first) > 1000
