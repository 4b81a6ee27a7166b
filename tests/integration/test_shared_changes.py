"""No change is lost to sweeps that share one reading of what has changed, whoever reads, waits or dies meanwhile."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from datetime import datetime, timezone

import pytest

from pv_testing.core.errors import IntegrationError
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.ledger.marks import READING
from pv_testing.workflow import shared_changes
from pv_testing.workflow.changes import FEW
from pv_testing.workflow.selection import OPEN, UNDER_TEST
from pv_testing.workflow.shared_changes import LEASE, LEASE_SECONDS, Wanted
from pv_testing.workflow.sweep import Sweep
from pv_testing.workflow.sweep_backlog import SweepBacklog
from tests.integration.test_changes import ago

FIRST, SECOND = "SR-2025-0001", "SR-2025-0002"
LISTINGS = {"/api/v1/service-requests", "/api/v1/executions"}


class Sweeps:
    """Sweeps over one framework on one ledger; what they have read is settled, as a step does."""

    def __init__(self, trip, stack, overlap=0, **options):
        self.trip, self.lab, self.ledger, self._stack = trip, trip.lab, trip.ledger, stack
        self.options = {"overlap": overlap, **options}
        self.framework = self.client(self.ledger)

    def client(self, ledger, url="", **options):
        known = self.lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        made = FrameworkClient(
            url or self.lab.framework_url, ledger=ledger, options={**self.options, **options}, **user
        )
        return self._stack.enter_context(closing(made))

    def sweep(self, name, framework=None, executions="COMPLETE"):
        client = framework or self.framework
        return Sweep(client, client.ledger, name, UNDER_TEST if executions else OPEN, executions=executions)

    def due(self, name, **how):
        """Run a sweep, settle what it has read, and return which requests that was."""
        due = self.sweep(name).due(**how)
        backlog = SweepBacklog(self.ledger, name)
        read = [read_service_request(self.framework.get_service_request(sr_id)) for sr_id in due.values()]
        run(backlog.settle(read, set(due)))
        return set(due)

    def at_rest(self, *names):
        """Let sweeps read everything, and put all times of change into the past, so that nothing is new any more."""
        for table in ("service_requests", "executions"):
            self.edit(f"UPDATE {table} SET updated_at = ?", ago(3_600))
        for name in names:
            assert any(not self.due(name) for _ in range(6))
        if self.kept():
            self.kept(began=0.0)  # each of them has read, and none takes what another one has read so far
        return self

    def edit(self, sql, *values):
        with closing(sqlite3.connect(self.lab.settings.database("framework"))) as connection, connection:
            connection.execute(sql, values)

    def changes(self, number, status, seconds=0.0):
        """Change a request, stamped some seconds ago."""
        self.edit(f"UPDATE service_requests SET status = '{status}', updated_at = ? WHERE id = ?", ago(seconds), number)

    def hide(self, number, *, gone):
        """Let no listing show a request, as when it is moved into a page that was read already; or show it again."""
        self.edit("UPDATE service_requests SET gone = ? WHERE id = ?", 2 * gone, number)

    def asked(self):
        """Return how often the framework was asked for a listing."""
        return sum(seen["path"] in LISTINGS for seen in self.lab.requests("framework"))

    def kept(self, **changes):
        kept = self.ledger.state(READING, {})
        if changes:
            self.ledger.update(READING, lambda _: {**kept, **changes}, {})
        return kept


@pytest.fixture
def sweeps(laboratory):
    with ExitStack() as stack:

        def start(requests=2, **options):
            plan = {"requests": requests, "modules": 1, "protocols": 1, "failures": 0.0, "state": "complete"}
            return Sweeps(laboratory(**plan), stack, **options)

        yield start


def test_a_second_sweep_takes_what_the_first_one_has_read(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    before = site.asked()
    assert site.due("two") == set()
    assert site.asked() == before
    site.changes(1, "ANALYSIS_COMPLETE")
    assert site.due("one") == {FIRST}
    before = site.asked()
    assert site.due("two") == {FIRST}
    assert site.asked() == before


def test_a_sweep_takes_no_reading_twice(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    site.due("two")
    site.changes(1, "ANALYSIS_COMPLETE")
    assert site.due("two") == {FIRST}
    assert site.due("one") == {FIRST}


def test_a_change_between_the_reading_and_a_sweep_that_takes_it_is_in_the_next_one(sweeps):
    site = sweeps().at_rest("one", "two")
    site.changes(2, "ANALYSIS_COMPLETE")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    assert site.due("two") == {SECOND}
    assert FIRST in site.due("two")
    assert FIRST in site.due("one")


def test_a_change_of_a_request_that_was_read_after_the_reading_is_in_the_next_one(sweeps):
    site = sweeps().at_rest("one", "two")
    site.changes(1, "ANALYSIS_COMPLETE", seconds=5)
    site.due("one")
    site.due("two")
    site.changes(1, "REPORTS_APPROVED")
    assert site.due("two") == {FIRST}


def test_a_request_that_was_read_after_the_reading_does_not_look_like_a_clock_that_was_put_back(sweeps, caplog):
    site = sweeps().at_rest("one", "two")
    site.changes(1, "ANALYSIS_COMPLETE", seconds=9)
    site.due("one")
    site.changes(1, "REPORTS_APPROVED")
    by_hand = SweepBacklog(site.ledger, "two")
    run(by_hand.settle([read_service_request(site.framework.get_service_request(1))], {FIRST}))
    assert SECOND not in site.due("two")
    assert "earlier time of change" not in caplog.text


def test_who_wants_to_see_an_effect_now_takes_no_earlier_reading(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    assert site.due("two", wanted=Wanted.NOW) == {FIRST}


def test_an_echo_takes_the_same_reading_again_and_a_row_that_it_has_missed_is_in_the_next_one(sweeps):
    site = sweeps(requests=FEW + 2).at_rest("one")
    site.changes(1, "ANALYSIS_COMPLETE", seconds=3)
    site.hide(1, gone=True)
    for number in range(2, FEW + 3):
        site.changes(number, "ANALYSIS_COMPLETE")
    assert FIRST not in site.due("one")
    before = site.asked()
    assert FIRST not in site.due("one", wanted=Wanted.RECENT)
    assert site.asked() == before
    site.hide(1, gone=False)
    assert FIRST in site.due("one")


def test_a_sweep_that_is_behind_reads_from_its_own_place(sweeps):
    site = sweeps().at_rest("one", "late")
    place = SweepBacklog(site.ledger, "late").kept()["place"]
    site.changes(1, "ANALYSIS_COMPLETE", seconds=20)
    kept = site.kept()
    now = datetime.now(timezone.utc).timestamp()
    # The other sweep has moved on, and its reading with it.
    SweepBacklog(site.ledger, "one").change(lambda known: {**known, "place": [now - 5, site.ledger.now(), now - 5]})
    site.kept(since=now - 5, requests=[{}] * FEW, began=kept["began"] - 1)
    assert site.due("one") == set()
    assert site.kept()["since"] > now - 6 > place[2]
    assert site.due("late") == {FIRST}
    assert site.kept()["since"] == pytest.approx(place[2])
    # From then on one reading is enough for both.
    site.due("one")
    site.due("one", wanted=Wanted.NOW)
    before = site.asked()
    site.due("late")
    assert site.asked() == before


def test_a_sweep_without_any_request_learns_the_place_from_a_reading(sweeps):
    site = sweeps().at_rest("one")
    empty = Sweep(site.framework, site.ledger, "empty", ["REPORTS_APPROVED"])
    assert empty.due() == {}
    site.due("one")
    before = site.asked()
    assert Sweep(site.framework, site.ledger, "empty", ["REPORTS_APPROVED"]).due() == {}
    assert site.asked() == before
    site.changes(1, "REPORTS_APPROVED")
    assert set(Sweep(site.framework, site.ledger, "empty", ["REPORTS_APPROVED"]).due()) == {FIRST}


def test_without_sharing_each_sweep_asks_by_itself(sweeps):
    site = sweeps(shared_for=0).at_rest("one", "two")
    site.due("one")
    before = site.asked()
    site.due("two")
    assert site.asked() == before + 2
    assert site.kept() == {}


def test_an_old_reading_is_not_taken(sweeps):
    site = sweeps(shared_for=60).at_rest("one", "two")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    site.kept(began=site.ledger.now() - 61)
    assert site.due("two") == {FIRST}


def test_a_reading_from_the_future_is_not_taken(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    site.kept(began=site.ledger.now() + 3_600)
    assert site.due("two") == {FIRST}


def test_the_reading_of_another_framework_is_not_taken(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    site.kept(address="https://elsewhere.example/api/v1")
    assert site.due("two") == {FIRST}


def test_a_reading_that_fails_is_not_kept_and_stops_no_other(sweeps):
    site = sweeps().at_rest("one", "two")
    site.changes(1, "ANALYSIS_COMPLETE")
    before = site.kept()
    site.lab.faults("framework", {"route": "GET /api/v1/executions*", "kind": "error", "status": 401})
    with pytest.raises(IntegrationError):
        site.due("one")
    assert site.kept() == before
    site.lab.faults("framework")
    assert site.due("two") == {FIRST}
    assert site.due("one") == {FIRST}


def test_a_dry_run_asks_by_itself_and_keeps_nothing(sweeps):
    site = sweeps().at_rest("one", "two")
    site.due("one")
    site.changes(1, "ANALYSIS_COMPLETE")
    before = site.kept()
    assert set(site.sweep("two").due(keep=False)) == {FIRST}
    assert site.kept() == before


def test_a_large_reading_is_not_kept_and_each_sweep_reads_it_itself(sweeps, monkeypatch):
    monkeypatch.setattr(shared_changes, "MOST_ROWS", 1)
    site = sweeps().at_rest("one", "two")
    site.changes(1, "ANALYSIS_COMPLETE")
    site.changes(2, "ANALYSIS_COMPLETE")
    before = site.kept()
    assert site.due("one") == {FIRST, SECOND}
    assert site.kept() == before
    assert site.due("two") == {FIRST, SECOND}


@pytest.mark.parametrize("until", [-1.0, LEASE_SECONDS + 3_600], ids=["ended", "clock set back"])
def test_the_lease_of_a_sweep_that_was_killed_keeps_no_other_waiting(sweeps, until):
    site = sweeps().at_rest("one", "two")
    site.changes(1, "ANALYSIS_COMPLETE")
    killed = {"by": "killed", "until": site.ledger.now() + until}
    site.ledger.update(LEASE, lambda _: killed, {})
    assert site.due("one") == {FIRST}


def test_a_lease_that_began_after_another_sweep_looked_at_the_clock_is_left_to_its_holder(sweeps):
    site = sweeps()
    held = {"by": "another", "until": site.ledger.now() + 0.5 + LEASE_SECONDS}
    site.ledger.update(LEASE, lambda _: held, {})
    assert not shared_changes.SharedChanges(site.framework, site.ledger, "one")._acquire()
    assert site.ledger.state(LEASE, {}) == held


def test_a_change_after_the_reading_that_the_next_one_misses_is_in_the_one_after(sweeps):
    site = sweeps().at_rest("one", "two")
    site.changes(2, "ANALYSIS_COMPLETE")
    site.due("two")  # now it knows the framework's clock
    site.changes(2, "ANALYSIS_COMPLETE")
    site.due("one", wanted=Wanted.NOW)
    site.changes(1, "ANALYSIS_COMPLETE")
    time.sleep(1)  # longer than a reading takes
    assert site.due("two") == {SECOND}
    _assert_in_the_reading_after_next(site, "two")


def test_a_change_during_the_reading_that_the_next_one_misses_is_in_the_one_after(sweeps):
    site = sweeps().at_rest("one")
    site.changes(2, "ANALYSIS_COMPLETE")
    site.due("one")
    site.changes(2, "ANALYSIS_COMPLETE")
    slow = {"route": "GET /api/v1/executions*", "kind": "delay", "seconds": 1.5, "when": "before"}
    site.lab.faults("framework", slow)
    reading = threading.Thread(target=site.due, args=("one",))
    before, give_up = site.asked(), time.monotonic() + 30
    reading.start()
    while site.asked() == before and time.monotonic() < give_up:
        time.sleep(0.02)
    site.changes(1, "ANALYSIS_COMPLETE")
    reading.join()
    site.lab.faults("framework")
    _assert_in_the_reading_after_next(site, "one")


def _assert_in_the_reading_after_next(site, name):
    site.hide(1, gone=True)
    site.changes(2, "ANALYSIS_COMPLETE")
    assert site.due(name) == {SECOND}
    site.hide(1, gone=False)
    site.kept(since=4e9)  # the next reading begins where this sweep is, as after many changes
    assert FIRST in site.due(name)


def test_sweeps_that_begin_together_ask_the_framework_once(sweeps, tmp_path):
    names = [f"sweep {number}" for number in range(6)]
    site = sweeps().at_rest(*names)
    site.changes(1, "ANALYSIS_COMPLETE")
    before, due = site.asked(), {}
    start = threading.Barrier(len(names))

    def begin(name):
        with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
            framework = site.client(ledger)
            start.wait(30)
            due[name] = set(site.sweep(name, framework).due())

    threads = [threading.Thread(target=begin, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert due == {name: {FIRST} for name in names}
    assert site.asked() == before + 2


def test_readings_leave_nothing_in_the_audit_trail(sweeps):
    site = sweeps().at_rest("one", "two")
    before = site.ledger.verify().count
    for name in ("one", "two", "one"):
        site.due(name)
    assert site.kept()
    assert site.ledger.verify().count == before
