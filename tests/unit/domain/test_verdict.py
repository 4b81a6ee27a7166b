"""Shows that a verdict comes from the right rule and that nothing unexplained becomes PASS."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import DataError
from pv_testing.domain.reading import read_execution
from pv_testing.domain.verdict import QualityStatus, read_status, verdicts

PMAX = {"Pmax": {"value": 398.5, "unit": "W"}}


def execution(measurements=PMAX, **fields):
    return read_execution({"execution_id": 1}, {"results": {"measurements": measurements}, **fields})


def criterion(result: str):
    return {"pass_fail": {"criteria": [{"parameter": "Pmax", "result": result}]}}


def test_the_measurement_itself_decides_first():
    measured = {"Pmax": {"value": 1, "unit": "W", "qc_status": "fail"}}
    decided, rules = verdicts(execution(measured, qc_status="PASS", **criterion("PASS")))
    assert decided == {"Pmax": QualityStatus.FAIL}
    assert rules == {"measurement": 1}


def test_then_its_criterion_then_the_execution():
    assert verdicts(execution(qc_status="PASS", **criterion("FAIL")))[1] == {"criterion": 1}
    assert verdicts(execution(qc_status="PASS")) == ({"Pmax": QualityStatus.PASS}, {"execution": 1})


def test_a_failed_execution_never_makes_a_missing_verdict_a_pass():
    assert verdicts(execution(qc_status="FAIL"))[0] == {"Pmax": QualityStatus.FAIL}


@pytest.mark.parametrize("word", ["", "pending", "In Review", "not_checked"])
def test_an_undecided_execution_gives_no_verdict(word):
    with pytest.raises(DataError) as caught:
        verdicts(execution(qc_status=word))
    assert caught.value.code == "VERDICT_MISSING"


@pytest.mark.parametrize("word", ["Pass", "PASSED", "approved"])
def test_spellings_of_pass(word):
    assert read_status(word) is QualityStatus.PASS


@pytest.mark.parametrize("word", ["WARNING", "Conditional Pass", "conditional-pass"])
def test_a_warning_is_neither_pass_nor_fail(word):
    assert read_status(word) is QualityStatus.CONDITIONAL


def test_an_unknown_word_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="PASSISH") as caught:
        read_status("PASSISH")
    assert caught.value.code == "STATUS_UNKNOWN"
