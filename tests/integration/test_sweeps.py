"""No service request is lost to a sweep: not by an unreadable record, another task, or a state that nobody saw."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timezone

import pytest

from pv_testing.core.errors import AuthenticationError
from pv_testing.core.records import Result
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Ledger
from pv_testing.quality.nonconformances import SWEEP as REPORTS
from pv_testing.quality.nonconformances import ReportNonConformances, report_non_conformances
from pv_testing.samples import intake, results, statuses
from pv_testing.workflow.executions import list_complete, readable
from pv_testing.workflow.sweep_backlog import SweepBacklog
from pv_testing.workflow.unknown_states import KIND, LOOKED, look_for_unknown_states
from tests.forks import server

UNREADABLE = "GET /api/v1/executions/5001/results"


@pytest.mark.parametrize("status", [404, 409, 500])
def test_an_execution_that_cannot_be_read_stops_no_other_and_is_named(laboratory, status):
    trip = laboratory(requests=2, modules=2, protocols=2, state="complete")
    trip.intake().raise_for_waiting()
    trip.lab.faults("framework", {"route": UNREADABLE, "kind": "error", "status": status})
    report = trip.results()
    assert report.counts()["created"] == 7
    (unread,) = report.not_in_effect()
    assert unread.key == "5001"
    assert "framework doesn't give it" in unread.reason
    trip.lab.faults("framework")
    assert trip.results().counts()["created"] == 1


def test_a_listed_execution_of_an_unknown_shape_stops_no_other_and_is_named():
    request = read_service_request({"id": 1, "sr_number": "SR-1"})
    rows = [{"execution_id": 1}, {"execution_id": 2, "equipment": "SIM-1"}, {"protocol_id": "PVTP-001"}]
    executions, unread = readable(request, rows)
    assert [each.execution_id for each in executions] == ["1"]
    assert [outcome.key for outcome in unread] == ["2", "an execution of SR-1"]
    assert {outcome.result for outcome in unread} == {Result.QUARANTINED}
    assert unread[1].code == "EXECUTION_ID_MISSING"


def test_neither_is_the_report_of_another_failed_execution(laboratory):
    trip = laboratory(requests=2, modules=2, protocols=2, state="complete", failures=1.0)
    trip.lab.faults("framework", {"route": UNREADABLE, "kind": "error", "status": 409})
    with _qms(trip) as qms:
        report = run(report_non_conformances(trip.framework, qms, trip.ids()))
        assert report.counts()["created"] == 7
        assert [outcome.key for outcome in report.not_in_effect()] == ["5001"]
        trip.lab.faults("framework")
        assert run(report_non_conformances(trip.framework, qms, trip.ids())).counts()["created"] == 1


def test_a_request_that_cannot_be_read_stops_no_other_and_is_named(laboratory):
    trip = laboratory(requests=2, modules=2, protocols=1)
    trip.lab.faults("framework", {"route": "GET /api/v1/service-requests/1", "kind": "error", "status": 409})
    report = trip.intake()
    assert report.counts()["created"] == 2
    assert [outcome.key for outcome in report.not_in_effect()] == ["service request 1"]


def test_a_request_is_remembered_before_anything_of_it_is_read(laboratory):
    trip = laboratory(requests=2, modules=1, protocols=1, state="complete")
    trip.lab.faults("framework", {"route": "GET /api/v1/executions*", "kind": "error", "status": 401})
    with pytest.raises(AuthenticationError):
        trip.results()
    with _qms(trip) as qms, pytest.raises(AuthenticationError):
        run(report_non_conformances(trip.framework, qms, [1, 2]))
    for sweep in (results.SWEEP, REPORTS):
        assert set(SweepBacklog(trip.ledger, sweep).take({}).values()) == {1, 2}


def test_tasks_of_one_sweep_forget_no_request_of_each_other(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger(url) as ledger:
        _taken(url, 0)
        tasks = [server().Process(target=_taken, args=(url, number)) for number in range(1, 7)]
        for task in tasks:
            task.start()
        for task in tasks:
            task.join(60)
        assert len(SweepBacklog(ledger, "lims/results").take({})) == 7 * 20


def _taken(url, task):
    with Ledger(url) as ledger:
        for number in range(20):
            SweepBacklog(ledger, "lims/results").take({f"SR-{task}-{number}": number})


def test_a_test_that_ends_after_its_request_was_closed_is_waited_for(laboratory):
    trip = laboratory(modules=2, protocols=1, failures=1.0)
    trip.intake().raise_for_waiting()
    trip.lab.run_executions(1, 0.5)
    trip.lab.run_executions(1, 1.0, complete=False)
    trip.lab.advance(1, "REPORTS_APPROVED")
    trip.lab.advance(1, "CLOSED")
    with _qms(trip) as qms:
        for report in (trip.results(), run(report_non_conformances(trip.framework, qms, [1]))):
            assert report.counts()["created"] == 1
            assert any("SR-2025-0001 is closed, but its execution" in note for note in report.notes)
        trip.lab.run_executions(1, 1.0)
        for sweep in (results.SWEEP, REPORTS):
            assert SweepBacklog(trip.ledger, sweep).take({}) == {"SR-2025-0001": 1}
        assert trip.results().counts()["created"] == 1
        assert run(report_non_conformances(trip.framework, qms, [1])).counts()["created"] == 1
    for sweep in (results.SWEEP, REPORTS):
        assert SweepBacklog(trip.ledger, sweep).take({}) == {}


def test_an_execution_that_fails_after_its_request_was_closed_is_reported(laboratory):
    trip = laboratory(modules=2, protocols=1, state="complete", failures=0.0)
    trip.lab.advance(1, "REPORTS_APPROVED")
    with _qms(trip) as qms:
        report = ReportNonConformances(trip.framework, qms)
        run(report.run(report.choose().values()))
        trip.lab.advance(1, "CLOSED")
        run(report.run(report.choose().values()))
        assert SweepBacklog(trip.ledger, REPORTS).take({}) == {}
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        fails = "results = json_set(results, '$.qc_status', 'FAIL')"
        _edit(trip, f"UPDATE executions SET {fails}, updated_at = '{now}' WHERE execution_id = 5001")
        assert report.choose() == {"SR-2025-0001": 1}
        assert run(report.run([1])).counts()["created"] == 1
        assert SweepBacklog(trip.ledger, REPORTS).take({}) == {}


def test_an_execution_without_a_module_waits_for_a_person(laboratory):
    trip = laboratory(modules=1, protocols=1, state="complete")
    trip.intake().raise_for_waiting()
    _edit(trip, "UPDATE executions SET module_id = ''")
    (outcome,) = trip.results().not_in_effect()
    assert (outcome.result.value, outcome.code) == ("quarantined", "SERIAL_MISSING")
    assert [entry.code for entry in trip.ledger.waiting()] == ["SERIAL_MISSING"]


def test_the_lims_hears_the_last_status_of_a_request_that_was_approved_and_closed_between_two_runs(laboratory):
    trip = laboratory(modules=2, protocols=1, state="complete")
    trip.intake().raise_for_waiting()
    trip.lab.receive()
    trip.push().raise_for_waiting()
    trip.lab.advance(1, "REPORTS_APPROVED")
    trip.lab.advance(1, "CLOSED")
    assert SweepBacklog(trip.ledger, statuses.SWEEP).take({}) == {"SR-2025-0001": 1}
    trip.push().raise_for_waiting()
    assert {sample["status"] for sample in trip.lab.samples()} == {"Approved"}
    assert SweepBacklog(trip.ledger, statuses.SWEEP).take({}) == {}


def test_the_lims_hears_the_last_status_before_a_state_that_the_contract_does_not_map(laboratory):
    trip = laboratory(modules=1, protocols=1, state="complete")
    trip.intake().raise_for_waiting()
    trip.lab.receive()
    trip.lab.advance(1, "ANALYSIS_COMPLETE")
    trip.push().raise_for_waiting()
    assert [sample["status"] for sample in trip.lab.samples()] == ["Testing Complete"]


def test_the_samples_of_a_request_that_is_closed_meanwhile_are_still_made(laboratory):
    trip = laboratory(modules=2, protocols=1, state="complete")
    trip.lab.faults("lims", {"route": "POST /api/v2/samples*", "kind": "error", "status": 422})
    assert trip.intake().not_in_effect()
    trip.lab.advance(1, "CLOSED")
    trip.lab.faults("lims")
    memory = SweepBacklog(trip.ledger, intake.SWEEP)
    assert memory.take({}) == {"SR-2025-0001": 1}
    trip.intake(replay=True).raise_for_waiting()
    assert len(trip.lab.samples()) == 2
    assert memory.take({}) == {}


def test_a_module_whose_serial_number_was_entered_waits_no_more(laboratory):
    trip = laboratory(modules=2, protocols=1)
    _serials(trip, "A1", "")
    assert [outcome.code for outcome in trip.intake().not_in_effect()] == ["SERIAL_MISSING"]
    _serials(trip, "A1", "A2")
    trip.intake().raise_for_waiting()
    assert trip.ledger.waiting() == []


def test_a_sample_whose_module_is_listed_no_longer_is_named(laboratory):
    trip = laboratory(modules=2, protocols=1)
    _serials(trip, "A1", "A2")
    trip.intake().raise_for_waiting()
    _serials(trip, "A1", "B2")
    report = trip.intake()
    assert report.counts()["created"] == 1
    (note,) = [note for note in report.notes if "cancel sample" in note]
    assert note.startswith("SR-2025-0001/A2: the request lists it no longer; cancel sample LIM-")


def test_a_request_in_a_state_that_nobody_knows_waits_until_it_has_left_it(laboratory):
    trip = laboratory(requests=2, modules=1, protocols=1)
    _edit(trip, "UPDATE service_requests SET status = 'ON_HOLD' WHERE id = 1")
    assert look_for_unknown_states(trip.framework, trip.ledger, "test") == {"SR-2025-0001": "ON_HOLD"}
    (waiting,) = trip.ledger.waiting()
    assert (waiting.key, waiting.code) == ("SR-2025-0001", "STATE_UNKNOWN")
    assert "ON_HOLD" in waiting.reason
    assert look_for_unknown_states(trip.framework, trip.ledger, "test") == {}, "asked twice a day"
    _edit(trip, "UPDATE service_requests SET status = 'PENDING_INSPECTION' WHERE id = 1")
    trip.ledger.set_watermark(LOOKED, "0")
    look_for_unknown_states(trip.framework, trip.ledger, "test")
    assert trip.ledger.waiting() == []


def test_a_request_in_an_unknown_state_that_a_person_has_confirmed_is_left_alone(laboratory):
    trip = laboratory(requests=1, modules=1, protocols=1)
    _edit(trip, "UPDATE service_requests SET status = 'ON_HOLD' WHERE id = 1")
    look_for_unknown_states(trip.framework, trip.ledger, "test")
    trip.ledger.confirm("framework", KIND, "SR-2025-0001", "ON_HOLD", owner="a person")
    trip.ledger.set_watermark(LOOKED, "0")
    assert look_for_unknown_states(trip.framework, trip.ledger, "test") == {}
    assert trip.ledger.waiting() == []


def test_nothing_is_made_of_a_request_that_has_left_the_known_states_and_it_is_forgotten(laboratory):
    trip = laboratory(modules=2, protocols=1)
    memory = SweepBacklog(trip.ledger, intake.SWEEP)
    memory.take({"SR-2025-0001": 1})
    _edit(trip, "UPDATE service_requests SET status = 'CANCELLED' WHERE id = 1")
    trip.intake().raise_for_waiting()
    assert trip.lab.samples() == []
    assert memory.take({}) == {}


def test_a_person_can_say_that_nothing_is_to_be_done_for_a_module_without_serial_number(laboratory):
    trip = laboratory(modules=2, protocols=1, state="complete")
    trip.intake().raise_for_waiting()
    _edit(trip, "UPDATE executions SET module_id = '' WHERE execution_id = 5001")
    _serials(trip, "A1", "")
    trip.lab.advance(1, "REPORTS_APPROVED")
    trip.lab.advance(1, "CLOSED")
    assert [outcome.code for outcome in trip.intake().not_in_effect()] == ["SERIAL_MISSING"]
    assert "SERIAL_MISSING" in [outcome.code for outcome in trip.results().not_in_effect()]
    trip.ledger.confirm("lims", "sample", "SR-2025-0001/(module 2)", "none", owner="a person")
    trip.ledger.confirm("lims", "result", "5001", "none", owner="a person")
    trip.intake().raise_for_waiting()
    trip.results()
    assert trip.ledger.waiting() == []
    assert SweepBacklog(trip.ledger, intake.SWEEP).take({}) == {}


def test_a_serial_number_that_comes_twice_and_can_be_kept_by_no_database_stops_no_other(laboratory):
    trip = laboratory(modules=3, protocols=1)
    listed = json.dumps(["A\x00", "A\x00", "B"])
    _edit(trip, f"UPDATE service_requests SET module = json_set(module, '$.serial_numbers', json('{listed}'))")
    report = trip.intake()
    assert report.counts()["created"] == 1
    assert {outcome.code for outcome in report.not_in_effect()} == {"SERIAL_DUPLICATE"}


@pytest.mark.parametrize("status", ["Complete", "complete"])
def test_a_completed_execution_is_known_however_its_status_is_spelt(laboratory, status):
    trip = laboratory(modules=1, protocols=1, state="complete")
    _edit(trip, f"UPDATE executions SET status = '{status}'")
    trip.lab.advance(1, "REPORTS_APPROVED")
    trip.lab.advance(1, "CLOSED")
    (request,), _ = run(trip.framework.aservice_requests([1]))
    listed = run(list_complete(trip.framework, request))
    assert [each.execution_id for each in listed.complete] == ["5001"]
    assert (listed.unread, listed.under_way) == ([], [])


def _serials(trip, *numbers):
    listed = ", ".join(f"'{number}'" for number in numbers)
    _edit(trip, f"UPDATE service_requests SET module = json_set(module, '$.serial_numbers', json_array({listed}))")


def _edit(trip, sql):
    with closing(sqlite3.connect(trip.lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql)


def _qms(trip):
    known = trip.lab.credentials
    return QMSClient(
        trip.lab.url("qms"), username=known.qms_username, password=known.qms_password, ledger=trip.ledger, owner="test"
    )


def test_requests_that_are_read_again_add_only_marks_to_the_audit_trail_and_all_of_it_explains_the_ledger(laboratory):
    trip = laboratory(requests=3, modules=4, protocols=3, state="complete", failures=0.5)
    with _qms(trip) as qms:

        def sweep() -> int:
            trip.intake()
            trip.results()
            run(report_non_conformances(trip.framework, qms, trip.ids()))
            return trip.ledger.verify().count

        first = sweep()
        marks = [event for event in trip.ledger.events() if event.action == "mark"]
        print(f"{first} events, {len(marks)} of them marks, for {trip.ledger.verify().records} records")
        assert len(marks) < first / 4
        for _ in range(3):
            sweep()
        assert {event.action for event in trip.ledger.events(after=first)} <= {"mark"}
