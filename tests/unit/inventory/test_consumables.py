"""Shows what executions use up, and that only completed ones do."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pv_testing.inventory import draw_records
from tests.unit.inventory.laboratory import rules, run

USED = {
    "PVTP-001": {"CLEANER": {"quantity": "0.050", "unit": "l"}, "WIPE": {"quantity": "2", "unit": "pcs"}},
    "PVTP-023": {"SALT": {"quantity": "2.5", "unit": "kg"}},
}


def draws(*executions):
    return draw_records("SR-2025-0123", executions, rules(consumables=USED), ZoneInfo("Asia/Tokyo"))


def test_each_completed_execution_draws_each_item_once():
    records = draws(run(5001), run(5002), run(5003, "PVTP-044"), run(5004, "PVTP-023"))
    assert [record.key for record in records] == [
        "5001/CLEANER",
        "5001/WIPE",
        "5002/CLEANER",
        "5002/WIPE",
        "5004/SALT",
    ]
    assert {name: records[0].data[name] for name in ("execution_id", "item", "quantity", "unit", "date")} == {
        "execution_id": "5001",
        "item": "CLEANER",
        "quantity": "0.050",
        "unit": "l",
        "date": "2025-11-12",
    }


def test_the_day_is_the_laboratorys():
    (record,) = draws(run(5001, "PVTP-023", completed_at="2025-11-12T15:00:00Z"))
    assert record.data["date"] == "2025-11-13"


def test_what_is_not_complete_draws_nothing():
    assert draws(run(5001, status="RUNNING"), run(5002, status="STOPPED")) == []


def test_a_completed_execution_without_its_end_waits_for_a_person():
    (record,) = draws(run(5001, "PVTP-023", completed_at=None))
    assert (record.key, record.problem.code) == ("5001/SALT", "NOT_A_TIME")
