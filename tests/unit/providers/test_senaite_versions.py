"""What happens to a sample's analyses, step by step, until a result set is in effect; and what is left to a person."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.core.errors import Conflict
from pv_testing.providers.senaite.versions import Wanted, plan

PMAX = Wanted("Pmax", {"Result": "412.357", "Uncertainty": "1.2"}, "W", "PASS, 2025-11-12T10:15:00Z, Ada Volt")
VOC = Wanted("Voc", {"Result": "49.5"}, "V", "PASS, 2025-11-12T10:15:00Z, Ada Volt")


def analysis(
    keyword: str, state: str, unit: str = "W", *, result: Wanted | None = None, execution: str = "7", **others: Any
) -> dict[str, Any]:
    remarks = result.marked(execution, 1) if result else ""
    value = result.fields["Result"] if result else ""
    found = {"uid": f"{keyword}-{state}", "getKeyword": keyword, "review_state": state, "getUnit": unit}
    return {**found, "getRemarks": remarks, "getResult": value, **others}


def test_an_analysis_that_the_sample_lacks_is_ordered():
    todo = plan([analysis("Pmax", "unassigned")], [PMAX, VOC], "7")
    assert todo.order == ("Voc",)
    assert [result for result, _ in todo.submit] == [PMAX]


def test_what_holds_this_very_version_is_left_alone():
    held = [analysis("Pmax", state, result=PMAX) for state in ("to_be_verified", "verified", "published")]
    assert all(plan([each], [PMAX], "7").done for each in held)


def test_an_upload_goes_on_where_it_was_cut_off():
    todo = plan([analysis("Pmax", "to_be_verified", result=PMAX), analysis("Voc", "unassigned", "V")], [PMAX, VOC], "7")
    assert [result for result, _ in todo.submit] == [VOC]
    assert not todo.retract


def test_the_copy_that_a_retraction_leaves_open_is_submitted_although_it_has_the_old_remarks():
    old, copy = analysis("Pmax", "retracted", result=PMAX), analysis("Pmax", "unassigned", result=PMAX)
    todo = plan([old, copy], [PMAX], "7")
    assert [found["uid"] for _, found in todo.submit] == ["Pmax-unassigned"]


def test_a_remark_of_ours_proves_nothing_when_the_value_is_another():
    typed = analysis("Pmax", "to_be_verified", result=PMAX, getResult="5")
    assert [found["uid"] for found in plan([typed], [PMAX], "7").retract] == ["Pmax-to_be_verified"]


@pytest.mark.parametrize(
    "changed",
    [
        Wanted("Pmax", {"Result": "400", "Uncertainty": "1.2"}, "W", PMAX.remarks),
        Wanted("Pmax", {"Result": "412.357", "Uncertainty": "2"}, "W", PMAX.remarks),
        Wanted("Pmax", {"Result": "412.357"}, "W", PMAX.remarks),
        Wanted("Pmax", dict(PMAX.fields), "W", "FAIL, 2025-11-12T10:15:00Z, Ada Volt"),
    ],
)
def test_only_what_has_changed_is_retracted(changed):
    there = [analysis("Pmax", "to_be_verified", result=PMAX), analysis("Voc", "to_be_verified", "V", result=VOC)]
    todo = plan(there, [changed, VOC], "7")
    assert [found["uid"] for found in todo.retract] == ["Pmax-to_be_verified"]
    assert not todo.submit


def test_a_quantity_that_the_new_version_lacks_is_retracted():
    there = [analysis("Pmax", "to_be_verified", result=PMAX), analysis("Voc", "to_be_verified", "V", result=VOC)]
    assert [found["uid"] for found in plan(there, [PMAX], "7").retract] == ["Voc-to_be_verified"]


def test_another_execution_of_the_sample_is_not_touched():
    there = [analysis("Pmax", "unassigned"), analysis("Voc", "to_be_verified", "V", result=VOC, execution="8")]
    assert not plan(there, [PMAX], "7").retract


@pytest.mark.parametrize(
    ("there", "code"),
    [
        ([analysis("Pmax", "registered")], "NOT_RECEIVED"),
        ([analysis("Pmax", "to_be_verified", result=PMAX, execution="8")], "OCCUPIED"),
        ([analysis("Pmax", "to_be_verified", getResult="5", getRemarks="typed in")], "OCCUPIED"),
        ([analysis("Pmax", "verified", result=PMAX, getResult="5")], "VERIFIED"),
        ([analysis("Pmax", "rejected")], "ANALYSIS_REJECTED"),
        ([analysis("Pmax", "unassigned"), analysis("Pmax", "assigned")], "OCCUPIED"),
        ([analysis("Pmax", "unassigned", "kW")], "UNIT_DIFFERS"),
        ([analysis("Pmax", "unassigned", "")], "UNIT_DIFFERS"),
    ],
)
def test_what_is_not_ours_to_decide_is_left_to_a_person(there, code):
    with pytest.raises(Conflict) as refused:
        plan(there, [PMAX], "7")
    assert refused.value.code == code


def test_an_execution_id_may_have_any_form():
    name = "LIM-1/PVTP-001/2025-11-12, revision 3 [x]"
    held = analysis("Pmax", "to_be_verified", result=PMAX, execution=name)
    assert plan([held], [PMAX], name).done
