"""Shows what becomes of a module, by known answers, and that a missing verdict decides nothing."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import DataError
from pv_testing.inventory import last_movement
from tests.unit.inventory.laboratory import rules, run

RULE = {"destroyed_by": ["PVTP-016"], "scrapped_if_failed": ["PVTP-032"]}
HAIL, FIRE = "PVTP-032", "PVTP-016"


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([], "RETURNED"),
        ([run(1, qc_status="FAIL")], "RETURNED"),
        ([run(1), run(2, FIRE)], "SCRAPPED"),
        ([run(1, FIRE, status="STOPPED", qc_status=None, completed_at=None)], "SCRAPPED"),
        ([run(1, HAIL)], "RETURNED"),
        ([run(1, HAIL, qc_status="CONDITIONAL")], "RETURNED"),
        ([run(1, HAIL, qc_status="failed")], "SCRAPPED"),
        ([run(1, HAIL, qc_status="FAIL"), run(2, HAIL)], "SCRAPPED"),
        ([run(1, HAIL, qc_status="PENDING"), run(2, HAIL, qc_status="FAIL")], "SCRAPPED"),
        ([run(1, HAIL, status="STOPPED", qc_status="PENDING")], "RETURNED"),
    ],
)
def test_what_was_tested_decides_how_a_module_leaves(executions, expected):
    assert last_movement(executions, rules(leaving=RULE).leaving).value == expected


@pytest.mark.parametrize(
    ("word", "code"), [("", "VERDICT_MISSING"), ("pending", "VERDICT_MISSING"), ("gut", "STATUS_UNKNOWN")]
)
def test_a_verdict_that_is_missing_or_unknown_decides_nothing(word, code):
    with pytest.raises(DataError) as caught:
        last_movement([run(1, HAIL, qc_status=word)], rules(leaving=RULE).leaving)
    assert caught.value.code == code


@pytest.mark.parametrize(("modules", "expected"), [("returned", "RETURNED"), ("scrapped", "SCRAPPED")])
def test_a_rule_for_all_modules_asks_for_no_verdict(modules, expected):
    done = [run(1, FIRE), run(2, HAIL, qc_status="")]
    assert last_movement(done, rules(leaving={**RULE, "modules": modules}).leaving).value == expected
