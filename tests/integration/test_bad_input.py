"""Shows what becomes of the flaws that real service requests have: a reason that a person understands, nothing lost."""

from __future__ import annotations

import pytest


@pytest.fixture
def messy(laboratory):
    trip = laboratory(state="complete", messy=True, modules=2, protocols=1)
    intake = trip.intake()
    trip.lab.receive()
    return trip, intake, trip.results()


def test_each_flaw_has_its_reason(messy):
    _, intake, results = messy
    assert {o.code for o in intake.not_in_effect()} == {"SERIAL_DUPLICATE"}
    assert {o.code for o in results.not_in_effect()} == {
        "SAMPLE_UNKNOWN",
        "UNIT_MISSING",
        "UNIT_MISMATCH",
        "NOT_A_NUMBER",
        "PROTOCOL_UNKNOWN",
    }


def test_everything_without_a_flaw_arrives_and_nothing_is_lost(messy):
    trip, intake, results = messy
    assert len(trip.lab.samples()) == intake.counts()["created"]
    assert len(trip.lab.results()) == results.counts()["created"]
    readable = {e["execution_id"] for e in trip.lab.executions() if e["status"] == "COMPLETE"}
    assert {outcome.key for outcome in results.outcomes} <= {str(execution) for execution in readable}
    assert {entry.key for entry in trip.ledger.waiting()} == {
        o.key for report in (intake, results) for o in report.not_in_effect() if o.result.value == "quarantined"
    }


def test_missing_serial_numbers_and_deleted_requests_are_said(messy):
    _, intake, _ = messy
    assert sum("serial numbers known" in note for note in intake.notes) == 3
    assert sum("has been deleted" in note for note in intake.notes) == 1


def test_a_naive_time_is_taken_as_utc(messy):
    trip, _, _ = messy
    (execution,) = [e for e in trip.lab.executions() if e["completed_at"] == "2025-11-13T07:00:00"]
    (result,) = [r for r in trip.lab.results() if r["external_id"] == str(execution["execution_id"])]
    assert b'"test_date":"2025-11-13T07:00:00Z"' in result["body"]


def test_a_corrected_record_goes_through_at_the_next_run(messy):
    trip, _, results = messy
    (missing,) = [o.key for o in results.not_in_effect() if o.code == "UNIT_MISSING"]
    trip.lab.correct(int(missing), {"Pmax": {"value": 398.5, "unit": "W", "uncertainty": 1.2}})
    again = {outcome.key: outcome.result.value for outcome in trip.results().outcomes}
    assert again[missing] == "created"


def test_a_listing_that_repeats_a_page_stops_instead_of_going_round(laboratory):
    trip = laboratory(state="new", requests=150, modules=1, protocols=1)
    trip.lab.faults("framework", {"route": "GET /api/v1/service-requests", "kind": "repeat_page"})
    with pytest.raises(Exception, match="came before") as caught:
        trip.ids()
    assert caught.value.code == "PAGINATION_LOOP"
