"""Equipment counts from start to end, its operator a share of that up to a cap."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pv_testing.core.errors import DataError
from pv_testing.projects import HoursRule, ProjectRules, duration, operator_hours
from tests.unit.projects.laboratory import everything, execution


def test_the_equipment_of_the_lab_ran_for_its_known_hours():
    assert sum(duration(each) for each in everything()) == 12 * Decimal("2411.5")


def test_an_operator_does_not_watch_a_chamber_for_five_weeks():
    rules = ProjectRules.of({})
    chamber = execution("PVTP-018")
    assert duration(chamber) == 840
    assert operator_hours(chamber, rules.hours_rule("PVTP-018")) == 8
    # 2 + 6 + 3 + 1 + 3 + 8 + 8 + 8 + 3 + 8 + 1 + 0.5 hours a module.
    worked = sum(operator_hours(each, rules.hours_rule(each.protocol_id)) for each in everything())
    assert worked == 12 * Decimal("51.5")


def test_the_shipped_rules_let_operators_load_chambers_and_look_after_them():
    rules = ProjectRules.read()
    worked = sum(operator_hours(each, rules.hours_rule(each.protocol_id)) for each in everything())
    assert worked == 12 * Decimal("41.5")


@pytest.mark.parametrize(
    ("rule", "hours", "expected"),
    [
        ({}, 2, "2.00"),
        ({"ratio": 0.25}, 2, "0.50"),
        ({"ratio": 0.01}, 840, "8.00"),
        ({"ratio": 0.01, "cap": 24}, 840, "8.40"),
        ({"cap": 0.5}, 2, "0.50"),
        ({"ratio": 0}, 2, "0.00"),
        ({}, 1 / 3, "0.33"),
        ({}, 0.125, "0.13"),
    ],
)
def test_a_rule_is_a_share_and_a_cap_rounded_half_up(rule, hours, expected):
    assert str(operator_hours(execution(hours=hours), HoursRule(**rule))) == expected


def test_a_protocol_says_only_what_it_has_otherwise():
    rules = ProjectRules.of({"operator_hours": {"ratio": 0.5, "protocols": {"PVTP-018": {"cap": 6}}}})
    assert rules.hours_rule("PVTP-018") == HoursRule(ratio=0.5, cap=6)
    assert rules.hours_rule("PVTP-001") == HoursRule(ratio=0.5, cap=8)


def test_hours_are_those_that_passed_and_never_the_estimate():
    late = execution("PVTP-001", hours=3.5, duration_hours=2, duration_minutes=120)
    assert duration(late) == Decimal("3.50")


def test_the_older_names_of_the_times_are_read_and_a_zone_counts():
    times = {"started_at": None, "completed_at": None}
    old = execution(**times, start_time="2025-11-12T08:00:00+01:00", end_time="2025-11-12T08:30:00Z")
    assert duration(old) == Decimal("1.50")


@pytest.mark.parametrize(
    ("times", "code"),
    [
        ({"completed_at": ""}, "TIMES_MISSING"),
        ({"started_at": None, "completed_at": None}, "TIMES_MISSING"),
        ({"started_at": "2025-11-13T10:00:00Z", "completed_at": "2025-11-13T09:00:00Z"}, "TIMES_REVERSED"),
        ({"started_at": "yesterday"}, "NOT_A_TIME"),
    ],
)
@pytest.mark.parametrize("of", [duration, lambda run: operator_hours(run, HoursRule())])
def test_hours_that_cannot_be_told_wait(times, code, of):
    with pytest.raises(DataError) as caught:
        of(execution(**times))
    assert caught.value.code == code
