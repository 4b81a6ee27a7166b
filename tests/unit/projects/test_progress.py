"""Progress is that of what is expected; nothing is complete before all of it is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pv_testing.core.errors import DataError
from pv_testing.projects import progress_of, work_of
from pv_testing.projects.progress import durations
from tests.unit.projects.laboratory import HOURS, SERIALS, everything, execution, request

WEIGHTS = {protocol: Decimal(str(hours)) for protocol, hours in HOURS.items()}


def progress(executions, weighting="mean", of=None):
    return str(progress_of(work_of(of or request(), executions), weighting, WEIGHTS))


@pytest.mark.parametrize("weighting", ["mean", "duration"])
def test_the_lab_of_twelve_by_twelve_is_done_when_all_is(weighting):
    assert progress([], weighting) == "0.0"
    assert progress(everything()[:36], weighting) == "25.0"
    assert progress(everything(), weighting) == "100.0"


def test_a_short_protocol_counts_as_much_as_a_long_one_unless_weighted_by_duration():
    thermal = [each for each in everything() if each.protocol_id == "PVTP-018"]
    assert progress(thermal) == "8.3"
    assert progress(thermal, "duration") == "34.8"
    short = [each for each in everything() if each.protocol_id == "PVTP-001"]
    assert progress(short) == "8.3"
    assert progress(short, "duration") == "0.1"


def test_a_running_execution_counts_with_its_progress():
    one = request(["PVTP-018"], SERIALS[:2])
    running = execution(serial=SERIALS[1], status="RUNNING", progress=30.0)
    assert progress([execution(), running], of=one) == "65.0"
    assert progress([running], of=one) == "15.0"


@pytest.mark.parametrize(
    ("percentage", "expected"), [(250, "100.0"), (-5, "0.0"), ("half", "0.0"), ("nan", "0.0"), (None, "0.0")]
)
def test_progress_that_makes_no_sense_is_clamped(percentage, expected):
    running = execution(status="RUNNING", progress=percentage)
    shown = min(expected, "99.9", key=float)
    assert progress([running], of=request(["PVTP-018"], SERIALS[:1])) == shown


def test_a_hundred_per_cent_is_never_shown_before_all_is_done():
    many = request(["PVTP-018"], [f"SN{n}" for n in range(4000)])
    runs = [execution(serial=f"SN{n}") for n in range(3999)]
    assert progress(runs, of=many) == "99.9"
    assert progress([*runs, execution(serial="SN3999")], of=many) == "100.0"


def test_progress_may_fall_when_more_is_expected():
    one = request(["PVTP-018"], SERIALS[:1])
    again = execution(execution_id="again", status="RUNNING", progress=0)
    assert progress([execution()], of=one) == "100.0"
    assert progress([execution(), again], of=one) == "50.0"


def test_an_unknown_duration_is_not_guessed():
    with pytest.raises(DataError) as caught:
        progress_of(work_of(request(["PVTP-099"]), []), "duration", WEIGHTS)
    assert caught.value.code == "DURATION_UNKNOWN"


def test_a_duration_that_is_no_positive_number_is_none():
    values = {"A": "840", "B": "two hours", "C": "NaN", "D": -1, "E": None, "F": 0.5}
    assert durations({name: {"duration_hours": hours} for name, hours in values.items()}) == {
        "A": 840,
        "F": Decimal("0.5"),
    }


@pytest.mark.parametrize(
    ("runs", "status", "expected"),
    [
        ([], "OPEN", 2),
        ([execution()], "IN_PROGRESS", 2),
        ([execution(), execution(serial=SERIALS[1])], "COMPLETE", 2),
        # The same module before and after another test: both are expected.
        ([execution(), execution(execution_id="after"), execution(serial=SERIALS[1])], "COMPLETE", 3),
        ([execution(), execution(execution_id="after")], "IN_PROGRESS", 3),
        ([execution(), execution(serial=SERIALS[1]), execution(execution_id="x", status="RUNNING")], "IN_PROGRESS", 3),
        # One that was stopped is done again; only the repetition counts.
        ([execution(), execution(serial=SERIALS[1], status="STOPPED")], "IN_PROGRESS", 2),
        (
            [execution(), execution(serial=SERIALS[1], status="STOPPED"), execution("PVTP-018", SERIALS[1])],
            "COMPLETE",
            2,
        ),
        # A module that the request doesn't list.
        ([execution(), execution(serial=SERIALS[1]), execution(serial="SN-OTHER")], "COMPLETE", 3),
        ([execution(qc_status="FAIL"), execution(serial=SERIALS[1], qc_status="FAIL")], "COMPLETE", 2),
    ],
)
def test_a_protocol_is_complete_when_every_expected_execution_is(runs, status, expected):
    (work,) = work_of(request(["PVTP-018"], SERIALS[:2]), runs)
    assert (work.status, work.expected) == (status, expected)


def test_serial_numbers_that_are_missing_or_come_twice_are_not_expected():
    (work,) = work_of(request(["PVTP-018"], [SERIALS[0], SERIALS[0], ""]), [execution()])
    assert (work.status, work.expected) == ("COMPLETE", 1)
    (nothing,) = work_of(request(["PVTP-018"], []), [])
    assert (nothing.status, nothing.progress) == ("OPEN", 0)


def test_the_note_says_what_became_of_the_modules():
    runs = [
        execution(),
        execution(serial=SERIALS[1], qc_status="failed"),
        execution(serial=SERIALS[2], qc_status="Weird"),
        execution(serial=SERIALS[3], status="STOPPED"),
    ]
    (work,) = work_of(request(["PVTP-018"], SERIALS[:4]), runs)
    assert work.notes() == (
        "3 of 4 executions complete. QC Status: 1 WEIRD, 1 PASS, 1 FAIL. "
        f"Failed: {SERIALS[1]}. Ended without results: 1"
    )
