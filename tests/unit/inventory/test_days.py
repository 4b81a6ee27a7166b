"""Shows on which days movements happened, by known answers, and that a day that is known stays."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from pv_testing.inventory.days import step_days
from pv_testing.inventory.policy import STEPS
from tests.unit.inventory.laboratory import order, run

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 12, 24, 18, 0, tzinfo=BERLIN)


def days(request, executions=(), steps=STEPS, known=None, now=NOW):
    return [day.isoformat() for day in step_days(request, executions, steps, known or {}, now).values()]


def test_receipt_is_no_later_than_the_first_start_and_storage_begins_with_the_last_end():
    done = [run(1), run(2, started_at="2025-11-10T08:00:00Z", completed_at="2025-11-11T08:00:00Z")]
    assert days(order(), done) == ["2025-11-10", "2025-11-12", "2025-11-20"]


def test_without_executions_the_last_change_counts():
    assert days(order("INSPECTION_COMPLETE"), steps=("received",)) == ["2025-11-20"]


def test_without_any_time_the_first_sight_counts():
    assert days(order(updated_at=None, created_at="soon")) == ["2025-12-24"] * 3


@pytest.mark.parametrize(
    ("zone", "expected"), [("Europe/Berlin", "2025-11-13"), ("UTC", "2025-11-12"), ("America/New_York", "2025-11-12")]
)
def test_days_are_the_laboratorys(zone, expected):
    late = [run(1, completed_at="2025-11-12T23:30:00Z")]
    assert days(order(), late, now=NOW.astimezone(ZoneInfo(zone)))[1] == expected


def test_no_step_is_before_the_one_before_nor_before_the_request():
    ages_ago = [run(1, started_at="2025-01-01T08:00:00Z", completed_at="2025-01-02T08:00:00Z")]
    assert days(order(), ages_ago) == ["2025-09-01", "2025-09-01", "2025-11-20"]


def test_a_day_that_is_known_stays_whatever_changes():
    known = {"received": date(2025, 10, 1), "stored": date(2025, 10, 2)}
    assert days(order(), [run(1)], known=known) == ["2025-10-01", "2025-10-02", "2025-11-20"]
    assert days(order(updated_at="2025-09-30T08:00:00Z"), known=known)[2] == "2025-10-02"
