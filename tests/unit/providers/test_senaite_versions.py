"""Shows what the state and the remarks of SENAITE's analyses lead to, from any point at which an upload was cut off."""

from __future__ import annotations

from typing import Any

import pytest

from pv_testing.errors import Conflict
from pv_testing.providers.senaite.versions import Plan, Wanted, plan

EXECUTION = "5678"


def wanted(keyword: str = "PVTP001_Pmax", value: str = "412.357", **others: Any) -> Wanted:
    given = {"fields": {"Result": value, "Uncertainty": "1.2"}, "unit": "W", "remarks": "PASS, Ada Volt", **others}
    return Wanted(keyword=keyword, **given)


def analysis(
    result: Wanted, state: str, *, execution: str = EXECUTION, revision: int = 1, **others: Any
) -> dict[str, Any]:
    """An analysis of the catalogue as it looks when a result was written into it."""
    return {
        "uid": f"uid of {result.keyword} {state}",
        "getKeyword": result.keyword,
        "review_state": state,
        "getResult": result.fields["Result"],
        "getUnit": result.unit,
        "getRemarks": result.marked(execution, revision),
        **others,
    }


def empty(result: Wanted, state: str = "unassigned", **others: Any) -> dict[str, Any]:
    return analysis(result, state, **{"getResult": "", "getRemarks": "", **others})


def test_a_sample_without_the_analysis_gets_it_ordered():
    assert plan([], [wanted()], EXECUTION) == Plan(("PVTP001_Pmax",), (), ())


def test_an_open_analysis_takes_the_result():
    result = wanted()
    assert plan([empty(result)], [result], EXECUTION).submit == ((result, empty(result)),)


@pytest.mark.parametrize("state", ["to_be_verified", "verified", "published"])
def test_a_submitted_result_is_in_effect(state):
    assert plan([analysis(wanted(), state)], [wanted()], EXECUTION).done


def test_an_upload_that_was_cut_off_goes_on_with_what_is_missing():
    done, missing = wanted("PVTP001_Pmax"), wanted("PVTP001_Voc", "49.5", unit="V")
    todo = plan([analysis(done, "to_be_verified"), empty(missing)], [done, missing], EXECUTION)
    assert (todo.order, todo.retract) == ((), ())
    assert [result for result, _ in todo.submit] == [missing]


def test_a_result_that_was_written_but_not_submitted_is_not_in_effect():
    assert plan([analysis(wanted(), "unassigned")], [wanted()], EXECUTION).submit


@pytest.mark.parametrize(
    "changed",
    [
        {"value": "388.5"},
        {"fields": {"Result": "412.357", "Uncertainty": "1.3"}},
        {"remarks": "FAIL, Ada Volt"},
        {"unit": "kW"},
    ],
)
def test_whatever_has_changed_the_earlier_version_is_retracted(changed):
    old = analysis(wanted(), "to_be_verified")
    assert plan([old], [wanted(**changed)], EXECUTION).retract == (old,)


def test_the_open_copy_of_a_retracted_analysis_takes_the_new_version():
    old, new = wanted(), wanted(value="388.5")
    copy = analysis(old, "unassigned", getResult="")
    todo = plan([analysis(old, "retracted"), copy], [new], EXECUTION)
    assert todo == Plan((), (), ((new, copy),))


def test_the_remarks_of_a_retracted_analysis_prove_nothing():
    copy = analysis(wanted(), "unassigned", getResult="")
    assert not plan([analysis(wanted(), "retracted"), copy], [wanted()], EXECUTION).done


def test_a_quantity_that_a_new_version_no_longer_has_is_retracted():
    kept, dropped = wanted("PVTP001_Pmax"), wanted("PVTP001_Voc", "49.5")
    left = analysis(dropped, "to_be_verified")
    assert plan([analysis(kept, "to_be_verified"), left], [kept], EXECUTION) == Plan((), (left,), ())


def test_results_of_other_executions_are_left_alone():
    other = analysis(wanted("PVTP001_Voc", "49.5"), "to_be_verified", execution="56789")
    assert plan([analysis(wanted(), "verified"), other], [wanted()], EXECUTION).done


@pytest.mark.parametrize(
    ("analyses", "code"),
    [
        ([analysis(wanted(), "to_be_verified", execution="1")], "OCCUPIED"),
        ([analysis(wanted(), "to_be_verified", getRemarks="by hand")], "OCCUPIED"),
        ([empty(wanted()), empty(wanted(), "assigned")], "OCCUPIED"),
        ([analysis(wanted(value="1"), "verified")], "VERIFIED"),
        ([empty(wanted(), "registered")], "NOT_RECEIVED"),
        ([empty(wanted(), "rejected")], "ANALYSIS_REJECTED"),
        ([empty(wanted(), getUnit="kW")], "UNIT_DIFFERS"),
    ],
)
def test_what_is_not_ours_to_replace_waits_for_a_person(analyses, code):
    with pytest.raises(Conflict) as caught:
        plan(analyses, [wanted()], EXECUTION)
    assert caught.value.code == code


def test_an_execution_whose_number_begins_with_ours_is_another():
    with pytest.raises(Conflict):
        plan([analysis(wanted(), "to_be_verified", execution=f"{EXECUTION}9")], [wanted()], EXECUTION)
