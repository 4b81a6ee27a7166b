"""No change is lost to a sweep that reads only what has changed: neither late ones nor those that nobody tells."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone

import pytest

from pv_testing.config import digest
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root
from pv_testing.core.sync import run
from pv_testing.domain.reading import read_service_request
from pv_testing.integrations import FrameworkClient
from pv_testing.samples import results
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import UploadResults, upload_results
from pv_testing.workflow.changes import EXECUTIONS, REQUESTS, has_turned
from pv_testing.workflow.selection import UNDER_TEST
from pv_testing.workflow.sweep import Sweep
from pv_testing.workflow.sweep_backlog import DAY, SweepBacklog
from tests.integration.auditing import contract

FIRST, SECOND = "SR-2025-0001", "SR-2025-0002"
LESS = {"Pmax": {"value": 399.0, "unit": "W"}}


class Results:
    """The sweep that uploads results, as its DAG runs it."""

    def __init__(self, trip, overlap=1, **settings):
        self.trip, self.lab, self.ledger = trip, trip.lab, trip.ledger
        known = trip.lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        self.framework = FrameworkClient(
            trip.lab.framework_url, ledger=trip.ledger, options={"overlap": overlap}, **user, **settings
        )

    def due(self, **options):
        about = {"executions": "COMPLETE", "checkpoint": UploadResults.checkpoint}
        return Sweep(self.framework, self.ledger, results.SWEEP, UNDER_TEST, **about).due(**options)

    def upload(self):
        """Run the sweep once and return which requests it read, and what became of their results."""
        due = self.due()
        report = run(upload_results(self.framework, self.trip.lims, due.values()))
        return set(due), {name: number for name, number in report.counts().items() if number}

    def come_to_rest(self):
        for _ in range(10):
            if not self.upload()[0]:
                return
            time.sleep(1.1)
        pytest.fail("the sweep doesn't come to rest")

    def edit(self, sql, *values):
        with closing(sqlite3.connect(self.lab.settings.database("framework"))) as connection, connection:
            connection.execute(sql, values)

    def close(self, sr_id):
        """Close a service request, and let the sweep finish it."""
        for state in ("REPORTS_APPROVED", "CLOSED"):
            self.lab.advance(sr_id, state)
        self.come_to_rest()
        assert SweepBacklog(self.ledger, results.SWEEP).take({}).keys() == {FIRST, SECOND} - {f"SR-2025-{sr_id:04}"}

    def analyse(self, execution_id, pmax, at):
        """Correct a measurement, stamped with another time than now."""
        changes = "results = json_set(results, '$.measurements.Pmax.value', ?), updated_at = ?"
        self.edit(f"UPDATE executions SET {changes} WHERE execution_id = ?", pmax, at, execution_id)

    def kept(self, **changes):
        kept = json.loads(self.ledger.watermark(results.SWEEP))
        if changes:
            self.ledger.set_watermark(results.SWEEP, json.dumps({**kept, **changes}))
        return kept

    def asked(self):
        return len(self.lab.requests("framework"))


def ago(seconds):
    stamp = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def laboratory_of_results(laboratory):
    """Return a function that starts the sweep in a laboratory and lets it come to rest."""
    with contextmanager(_started)(laboratory) as start:
        yield start


def _started(laboratory):
    opened = []

    def start(overlap=1, *, at_rest=True, settings=None, **plan):
        seeded = {"requests": 2, "modules": 1, "protocols": 1, "failures": 0.0, "state": "complete", **plan}
        trip = laboratory(**seeded)
        trip.intake().raise_for_waiting()
        sweep = Results(trip, overlap, **(settings or {}))
        opened.append(sweep.framework)
        if at_rest:
            sweep.come_to_rest()
        return sweep

    try:
        yield start
    finally:
        for framework in opened:
            framework.close()


def test_an_execution_that_ends_is_carried_although_its_request_says_no_change(laboratory_of_results):
    sweep = laboratory_of_results(state="new", modules=3, at_rest=False)
    sweep.lab.run_executions(1, 1 / 3)
    sweep.come_to_rest()
    before = sweep.lab.rows("framework", "SELECT updated_at FROM service_requests")
    sweep.lab.run_executions(1, 2 / 3)
    assert sweep.lab.rows("framework", "SELECT updated_at FROM service_requests") == before
    assert sweep.upload() == ({FIRST}, {"created": 1, "unchanged": 1})


def test_a_correction_becomes_an_amendment(laboratory_of_results):
    sweep = laboratory_of_results()
    sweep.lab.correct(5002, LESS)
    assert sweep.upload() == ({SECOND}, {"updated": 1})


def test_a_correction_of_a_closed_request_becomes_an_amendment(laboratory_of_results, caplog):
    sweep = laboratory_of_results()
    sweep.close(2)
    sweep.lab.correct(5002, LESS)
    assert sweep.upload() == ({SECOND}, {"updated": 1})
    assert f"executions have changed after their requests were closed: {SECOND}" in caplog.text
    assert SweepBacklog(sweep.ledger, results.SWEEP).take({}).keys() == {FIRST}
    assert sweep.upload() == (set(), {})


def test_so_does_one_that_is_made_after_a_closed_request_was_read_and_before_it_is_finished(laboratory_of_results):
    sweep = laboratory_of_results()

    class Corrected(UploadResults):
        async def remember(self):
            sweep.lab.correct(5002, LESS)
            await super().remember()

    for state in ("REPORTS_APPROVED", "CLOSED"):
        sweep.lab.advance(2, state)
    assert run(Corrected.over(sweep.framework, sweep.trip.lims, sweep.due().values())).counts()["unchanged"] == 1
    assert SweepBacklog(sweep.ledger, results.SWEEP).take({}).keys() == {FIRST}
    assert sweep.upload() == ({SECOND}, {"updated": 1})


def test_a_corrected_closed_request_that_cannot_be_read_is_followed_until_it_can(laboratory_of_results):
    sweep = laboratory_of_results()
    sweep.close(2)
    sweep.lab.correct(5002, LESS)
    sweep.lab.faults("framework", {"route": "GET /api/v1/service-requests/2", "kind": "error", "status": 409})
    for _ in range(3):
        assert sweep.upload() == ({SECOND}, {"deferred": 1})
        time.sleep(1.1)
    sweep.lab.faults("framework")
    assert sweep.upload() == ({SECOND}, {"updated": 1})
    sweep.come_to_rest()
    assert SweepBacklog(sweep.ledger, results.SWEEP).take({}).keys() == {FIRST}


def test_a_closed_request_that_was_never_carried_is_left_alone(laboratory_of_results):
    sweep = laboratory_of_results(at_rest=False)
    for state in ("REPORTS_APPROVED", "CLOSED"):
        sweep.lab.advance(2, state)
    sweep.come_to_rest()
    sweep.lab.correct(5002, LESS)
    assert sweep.upload() == (set(), {})


def test_a_change_that_is_written_later_than_it_is_stamped_is_carried(laboratory_of_results):
    sweep = laboratory_of_results(overlap=30, at_rest=False)
    sweep.upload()
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    assert sweep.upload()[1]["updated"] == 1
    sweep.upload()
    sweep.analyse(5002, 398.5, ago(20))
    assert sweep.upload()[1]["updated"] == 1


def test_another_change_with_the_same_time_is_carried(laboratory_of_results):
    sweep = laboratory_of_results()
    stamp = ago(0)
    change = "UPDATE service_requests SET status = ?, updated_at = ? WHERE id = 1"
    sweep.edit(change, "ANALYSIS_COMPLETE", stamp)
    assert sweep.upload()[0] == {FIRST}
    sweep.edit(change, "REPORTS_APPROVED", stamp)
    assert FIRST in sweep.upload()[0]


def test_a_request_that_one_listing_misses_is_in_the_next(laboratory_of_results):
    sweep = laboratory_of_results(overlap=0)
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    sweep.edit("UPDATE service_requests SET gone = 1 WHERE id = 1")  # as when it is moved into a page that was read
    time.sleep(1.1)
    sweep.lab.correct(5002, LESS)
    assert sweep.upload()[0] == {SECOND}
    sweep.edit("UPDATE service_requests SET gone = 0 WHERE id = 1")
    assert FIRST in sweep.upload()[0]


def test_a_request_that_the_first_listing_of_all_misses_is_in_the_second(laboratory_of_results):
    sweep = laboratory_of_results(requests=21, at_rest=False)
    sweep.edit("UPDATE service_requests SET gone = 2 WHERE id = 1")
    assert FIRST not in sweep.due()
    sweep.edit("UPDATE service_requests SET gone = 0 WHERE id = 1")
    assert FIRST in sweep.due()


def test_what_waits_is_read_by_every_sweep_and_nothing_else(laboratory_of_results):
    sweep = laboratory_of_results()
    sweep.lab.faults("lims", {"route": "POST /api/v2/*results*", "kind": "error", "status": 422})
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    sweep.upload()
    for _ in range(4):
        time.sleep(1.1)
        assert sweep.upload() == ({FIRST}, {"rejected": 1})
    before = sweep.kept()
    sweep.upload()
    assert sweep.kept() == before


def test_a_run_that_is_gone_before_its_step_forgets_nothing(laboratory_of_results):
    sweep = laboratory_of_results()
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    for _ in range(4):
        assert set(sweep.due()) == {FIRST}
        time.sleep(1.1)


def test_a_dry_run_leaves_everything_to_the_next_one(laboratory_of_results):
    sweep = laboratory_of_results()
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    before = sweep.kept()
    assert set(sweep.due(keep=False)) == {FIRST}
    assert sweep.kept() == before


def test_an_attempt_that_slept_through_a_change_settles_nothing(laboratory_of_results):
    sweep = laboratory_of_results()
    asleep = SweepBacklog(sweep.ledger, results.SWEEP)
    read = read_service_request(sweep.framework.get_service_request(1))
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    sweep.due()
    run(asleep.settle([read], {FIRST}))
    assert set(sweep.due()) == {FIRST}


def test_each_request_is_read_once_a_day_whatever_the_framework_says(laboratory_of_results):
    sweep = laboratory_of_results()
    row = sweep.lab.rows("framework", "SELECT updated_at FROM executions WHERE execution_id = 5001")[0]
    sweep.analyse(5001, 398.5, row["updated_at"])
    assert sweep.due() == {}
    read = {number: [at - DAY, stamp] for number, (at, stamp) in sweep.kept()["read"].items()}
    sweep.kept(read=read)
    assert set(sweep.due()) == {FIRST, SECOND}


def test_what_is_done_once_a_day_is_spread_over_the_day():
    hours = {
        f"SR-{number}": [has_turned(f"SR-{number}", h * 3600, (h + 1) * 3600, DAY) for h in range(24)]
        for number in range(2400)
    }
    assert {sum(turns) for turns in hours.values()} == {1}
    assert max(sum(turns[hour] for turns in hours.values()) for hour in range(24)) < 150


def test_a_request_whose_time_of_change_goes_back_lets_all_be_read(laboratory_of_results, caplog):
    sweep = laboratory_of_results()
    sweep.edit("UPDATE service_requests SET updated_at = '2025-01-01T00:00:00.000Z' WHERE id = 1")
    sweep.kept(whole=0.0)
    assert set(sweep.due()) == {FIRST, SECOND}
    assert "an earlier time of change than before" in caplog.text


def test_requests_without_a_time_of_change_are_read_every_time(laboratory_of_results, caplog):
    sweep = laboratory_of_results(at_rest=False)
    sweep.edit("UPDATE service_requests SET updated_at = ''")
    for _ in range(3):
        assert sweep.upload()[0] == {FIRST, SECOND}
    assert "rows say no time of change" in caplog.text


def _without(operations):
    for name in (REQUESTS, EXECUTIONS):
        del operations[name]["query"]["updated_from"]


def _misnamed(operations):
    for name in (REQUESTS, EXECUTIONS):
        operations[name]["query"]["updated_from"] = "changed_since"


@pytest.mark.parametrize("change", [_without, _misnamed])
def test_where_changes_cannot_be_listed_each_request_is_read(laboratory_of_results, tmp_path, change):
    settings = {"contract": contract(tmp_path, "framework", change)}
    sweep = laboratory_of_results(settings=settings, at_rest=False)
    for _ in range(3):
        assert sweep.upload()[0] == {FIRST, SECOND}
    before = sweep.kept()
    sweep.lab.correct(5001, {"Pmax": {"value": 399.0, "unit": "W"}})
    assert sweep.upload()[1]["updated"] == 1
    sweep.lab.advance(2, "CLOSED")
    assert sweep.upload()[0] == {FIRST, SECOND}
    assert sweep.upload()[0] == {FIRST}
    assert before["read"].keys() == {FIRST, SECOND}


def test_another_configuration_lets_all_be_read(laboratory_of_results, monkeypatch, tmp_path):
    shutil.copytree(project_root() / "config", tmp_path / "config")
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "config" / "integrations.yaml"))
    sweep = laboratory_of_results()
    assert sweep.due() == {}
    new = "INSERT INTO service_requests SELECT 3, 'SR-2024-0001', status, customer, module, testing, metadata,"
    new += " estimated_completion, created_by, created_at, '2024-01-01T00:00:00.000Z', 0 FROM service_requests LIMIT 1"
    sweep.edit(new)  # an import that keeps the times of another system
    assert sweep.due() == {}
    with (tmp_path / "config" / "quality.yaml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert set(sweep.due()) == {FIRST, SECOND, "SR-2024-0001"}
    sweep.come_to_rest()


def test_a_contract_counts_as_configuration(monkeypatch, tmp_path):
    (tmp_path / "include").mkdir()
    shutil.copytree(project_root() / "include" / "mappings", tmp_path / "include" / "mappings")
    monkeypatch.setattr(digest, "project_root", lambda: tmp_path)
    before = digest.rules_digest()
    (tmp_path / "include" / "mappings" / "lims_custom.yaml").write_text("contract: 1\n", encoding="utf-8")
    assert digest.rules_digest() != before


def test_intake_finds_new_requests_and_changed_ones_only(laboratory_of_results):
    sweep = laboratory_of_results(at_rest=False)

    def intake():
        due = Sweep(sweep.framework, sweep.ledger, "lims/samples", ("PENDING_INSPECTION", *UNDER_TEST)).due()
        run(create_samples(sweep.framework, sweep.trip.lims, due.values()))
        return set(due)

    assert intake() == {FIRST, SECOND}
    for _ in range(3):
        time.sleep(1.1)
        intake()
    assert intake() == set()
    columns = "customer, module, testing, metadata, estimated_completion, created_by"
    row = f"SELECT 3, 'SR-2025-0003', 'PENDING_INSPECTION', {columns}, ?, ?, 0 FROM service_requests WHERE id = 1"
    sweep.edit(f"INSERT INTO service_requests {row}", ago(0), ago(0))
    assert intake() == {"SR-2025-0003"}


@pytest.mark.parametrize("options", [{"overlap": -1}, {"reread_hours": 0}, {"shared_for": -1}])
def test_times_that_make_no_sense_are_refused(laboratory, options):
    trip = laboratory()
    known = trip.lab.credentials
    user = {"username": known.framework_username, "password": known.framework_password}
    client = closing(FrameworkClient(trip.lab.framework_url, options=options, **user))
    with client as framework, pytest.raises(ConfigError, match="reread_hours at least 1"):
        Sweep(framework, trip.ledger, results.SWEEP, UNDER_TEST)
