"""Shows that service requests whose numbers contain each other's keys are told apart, all the way."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import orjson
import pytest

from pv_testing.ledger import Refusal, State

NUMBERS = ("SR-1", "SR-1/2", "SR-1%2F2")
# The module of the first request is named so that both parts together read like those of the second.
SERIALS = (("2/SN001", "SN009"), ("SN001", "SN/2"), ("SN001", "Modül 50%"))


@pytest.fixture
def trip(laboratory):
    started = laboratory(state="new", requests=3, modules=2, protocols=2)
    for sr_id, number, serials in zip(sorted(started.ids()), NUMBERS, SERIALS, strict=True):
        _rename(started, sr_id, number, serials)
    return started


def _rename(trip, sr_id, number, serials):
    """Let a request of the framework have another number, and its modules other serial numbers."""
    with closing(sqlite3.connect(trip.lab.settings.database("framework"))) as framework, framework:
        (text,) = framework.execute("SELECT module FROM service_requests WHERE id = ?", (sr_id,)).fetchone()
        module = orjson.loads(text)
        for before, after in zip(module["serial_numbers"], serials, strict=False):
            renaming = "UPDATE executions SET module_id = ? WHERE sr_id = ? AND module_id = ?"
            framework.execute(renaming, (after, sr_id, before))
        changed = orjson.dumps({**module, "serial_numbers": list(serials)}).decode()
        renaming = "UPDATE service_requests SET sr_number = ?, module = ? WHERE id = ?"
        framework.execute(renaming, (number, changed, sr_id))


def test_each_sample_is_created_once_and_none_is_called_superfluous(trip):
    report = trip.intake()
    wanted = {(number, serial) for number, serials in zip(NUMBERS, SERIALS, strict=True) for serial in serials}
    assert {(each["project_id"], each["external_id"]) for each in trip.lab.samples()} == wanted
    assert report.counts()["created"] == len(trip.lab.samples()) == 6
    assert not [note for note in report.notes if "no longer" in note]
    again = trip.intake()
    assert again.counts()["unchanged"] == 6
    assert not [note for note in again.notes if "no longer" in note]


def test_a_sample_that_its_request_lists_no_longer_is_named_for_that_request_alone(trip):
    trip.intake()
    _rename(trip, sorted(trip.ids())[1], "SR-1/2", ["SN001"])
    gone = [note for note in trip.intake().notes if "no longer" in note]
    assert [note.partition(":")[0] for note in gone] == ["SR-1%2F2/SN%2F2"]


def test_results_and_statuses_reach_the_sample_of_their_own_request(trip):
    trip.intake()
    trip.lab.receive()
    trip.pull().raise_for_waiting()
    for sr_id in trip.ids():
        trip.lab.run_executions(sr_id)
    trip.results().raise_for_waiting()
    trip.push().raise_for_waiting()
    samples = {each["id"]: (each["project_id"], each["external_id"]) for each in trip.lab.samples()}
    own = {str(run["execution_id"]): (run["sr_number"], run["module_id"]) for run in _executions(trip)}
    assert len(trip.lab.results()) == len(own) == 12
    assert {each["external_id"]: samples[each["sample_id"]] for each in trip.lab.results()} == own
    assert {each["status"] for each in trip.lab.samples()} == {"Testing Complete"}
    assert trip.lab.duplicates() == {"samples": [], "results": []}
    assert len(list(trip.ledger.entries("lims", "sample", [State.CONFIRMED]))) == 6


def _executions(trip):
    numbers = dict(zip(sorted(trip.ids()), NUMBERS, strict=True))
    return [{**run, "sr_number": numbers[run["sr_id"]]} for run in trip.lab.executions()]


def test_what_an_earlier_version_has_carried_isnt_sent_again_under_its_key_of_today(trip):
    for key, external_id in (("SR-1/2/SN001", "LIM-7"), ("SR-1/9", "LIM-8")):
        trip.ledger.quarantine("lims", "sample", [Refusal(key, "earlier", "EARLIER", "")], owner="test")
        trip.ledger.confirm("lims", "sample", key, external_id, owner="earlier version")
    report = trip.intake()
    waiting = {each.key: each.code for each in report.not_in_effect()}
    assert waiting == dict.fromkeys(["SR-1/2%2FSN001", "SR-1%2F2/SN001"], "KEY_OF_EARLIER_VERSION")
    assert report.counts()["created"] == 4
    assert {each.key for each in trip.ledger.waiting()} == set(waiting)
    # Only what is surely of the request is called superfluous.
    gone = [note.partition(":")[0] for note in report.notes if "no longer" in note]
    assert gone == ["SR-1/9"]


def test_a_person_says_whose_record_it_was(trip):
    trip.ledger.quarantine("lims", "sample", [Refusal("SR-1/2/SN001", "earlier", "EARLIER", "")], owner="test")
    trip.ledger.confirm("lims", "sample", "SR-1/2/SN001", "LIM-7", owner="earlier version")
    trip.intake()
    trip.ledger.release("lims", "sample", ["SR-1/2%2FSN001"], owner="ada", absent=True)
    trip.ledger.release("lims", "sample", ["SR-1%2F2/SN001"], owner="ada", absent=True)
    assert trip.intake().counts()["created"] == 2
    assert trip.intake().counts()["unchanged"] == len(trip.lab.samples()) == 6
    assert trip.ledger.waiting() == []
