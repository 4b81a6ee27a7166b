"""Shows the round trip of a service request between two running systems, each record exactly once."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import ExchangeIncomplete
from pv_testing.samples.results import SWEEP
from pv_testing.workflow.sweep_backlog import SweepBacklog


def test_twelve_modules_with_twelve_protocols_go_all_the_way(laboratory):
    trip = laboratory(state="new")
    assert trip.intake().counts()["created"] == 12
    trip.lab.receive()
    (sr,) = trip.ids()
    trip.lab.run_executions(sr)
    trip.push().raise_for_waiting()
    assert trip.results().counts()["created"] == 144
    (request,) = trip.lab.service_requests()
    assert request["status"] == "TESTING_COMPLETE"
    assert {sample["status"] for sample in trip.lab.samples()} == {"Testing Complete"}
    assert len(trip.lab.results()) == 144
    assert trip.lab.duplicates() == {"samples": [], "results": []}


def test_a_second_round_writes_nothing(laboratory):
    trip = laboratory(state="complete")
    _all_steps(trip)
    before = len(_writes(trip))
    reports = _all_steps(trip)
    assert {name for report in reports for name, n in report.counts().items() if n} == {"unchanged"}
    assert len(_writes(trip)) == before


def test_a_corrected_result_becomes_an_amendment(laboratory):
    trip = laboratory(state="complete", modules=2, protocols=1)
    _all_steps(trip)
    execution = trip.lab.executions()[0]
    trip.lab.correct(execution["execution_id"], {"Pmax": {"value": 391.5, "unit": "W", "uncertainty": 1.2}})
    report = trip.results()
    assert report.counts()["updated"] == 1
    kept = [r for r in trip.lab.results() if r["external_id"] == str(execution["execution_id"])]
    assert [result["revision"] for result in kept] == [1, 2]


def test_settled_results_are_not_read_again(laboratory):
    trip = laboratory(state="complete")
    _all_steps(trip)
    before = len(trip.lab.requests("framework"))
    assert trip.results().counts()["unchanged"] == 144
    since = trip.lab.requests("framework")[before:]
    assert not [request for request in since if request["path"].endswith("/results")]
    assert len(since) <= 8
    assert trip.results(replay=True).counts()["unchanged"] == 144
    before = len(trip.lab.requests("framework"))
    assert trip.results().counts()["unchanged"] == 144
    since = trip.lab.requests("framework")[before:]
    assert not [request for request in since if request["path"].endswith("/results")]


def test_results_wait_for_their_sample(laboratory):
    trip = laboratory(state="complete", modules=1, protocols=2)
    report = trip.results()
    assert [outcome.code for outcome in report.outcomes] == ["SAMPLE_UNKNOWN"] * 2
    with pytest.raises(ExchangeIncomplete, match="pv_intake creates it"):
        report.raise_for_waiting()
    trip.intake().raise_for_waiting()
    assert trip.results().counts()["created"] == 2


def test_a_sample_that_is_not_received_yet_gets_its_status_when_it_is(laboratory):
    trip = laboratory(state="complete", modules=2, protocols=1)
    trip.intake().raise_for_waiting()
    (first, _) = [sample["id"] for sample in trip.lab.samples()]
    trip.lab.receive(ids=[first])
    report = trip.push()
    assert report.counts()["updated"] == 1
    assert report.notes == ["1 samples aren't received yet; their status follows"]
    report.raise_for_waiting()
    trip.lab.receive()
    assert trip.push().counts()["updated"] == 1
    assert {sample["status"] for sample in trip.lab.samples()} == {"Testing Complete"}


def test_a_dry_run_changes_nothing_anywhere(laboratory):
    trip = laboratory(state="complete", modules=3, protocols=1)
    report = trip.intake(dry_run=True)
    assert report.counts()["created"] == 3
    assert trip.lab.samples() == []
    assert trip.ledger.verify().count == 0


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "drop_before"])
def test_lost_and_garbled_answers_do_no_harm(laboratory, kind):
    trip = laboratory(state="complete", modules=30, protocols=2)
    trip.lab.faults("lims", {"route": "POST /api/v2/*", "kind": kind, "rate": 0.5, "times": 6, "seed": 3})
    trip.intake().raise_for_waiting()
    trip.results().raise_for_waiting()
    assert len(trip.lab.samples()) == 30
    assert len(trip.lab.results()) == 60
    assert trip.lab.duplicates() == {"samples": [], "results": []}


def test_an_expired_token_is_renewed_on_the_way(laboratory):
    trip = laboratory(state="complete", modules=5, protocols=2)
    trip.lab.faults("framework", {"route": "GET /api/v1/*", "kind": "expired_token", "times": 1})
    trip.intake().raise_for_waiting()
    assert trip.results().counts()["created"] == 10


def test_a_request_deleted_half_way_is_noted_and_the_others_go_on(laboratory):
    trip = laboratory(state="complete", requests=2, modules=2, protocols=1)
    first, second = trip.ids()
    trip.lab.vanish(first)
    report = trip.intake(ids=[first, second])
    assert report.counts()["created"] == 2
    assert any(f"service request {first} has been deleted" in note for note in report.notes)


def test_a_closed_request_is_remembered_until_none_of_its_results_waits(laboratory):
    trip = laboratory(state="complete", modules=2, protocols=1)
    trip.intake().raise_for_waiting()
    memory = SweepBacklog(trip.ledger, SWEEP)
    trip.lab.faults("lims", {"route": "POST /api/v2/*results*", "kind": "error", "status": 422})
    assert trip.results().not_in_effect()
    trip.lab.faults("lims")
    trip.lab.advance(1, "CLOSED")
    assert trip.results().not_in_effect()
    assert memory.take({}) == {"SR-2025-0001": 1}
    trip.results(replay=True).raise_for_waiting()
    assert memory.take({}) == {}


def _all_steps(trip):
    reports = [trip.intake()]
    trip.lab.receive()
    reports += [trip.push(), trip.results()]
    for report in reports:
        report.raise_for_waiting()
    return reports


def _writes(trip):
    reads = {"/api/v2/samples/search", "/api/v2/results/search"}
    return [r for r in trip.lab.requests("lims") if r["method"] != "GET" and r["path"] not in reads]
