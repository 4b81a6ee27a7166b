"""A step chooses and reads service requests, exchanges records, and remembers how far each request is."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

import sandbox
from pv_testing.core import keys
from pv_testing.core.errors import DataError
from pv_testing.core.records import Record
from pv_testing.core.sync import run
from pv_testing.exchange.report import Report
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.selection import OPEN, choose
from pv_testing.workflow.step import Step
from pv_testing.workflow.sweep_backlog import SweepBacklog

SAMPLES = "POST /api/v2/*samples*"
NUMBERS = ("SR-2025-0001", "SR-2025-0002")


class OneSample(Step[LIMSClient, Report]):
    """A step that makes one sample of each request; the serial numbers of ``broken`` requests are missing."""

    sweep = "lims/one"
    broken: frozenset[str] = frozenset()

    async def carry(self):
        return await self.exchange_unconfirmed("create_sample", [self._record(each) for each in self.requests])

    def _record(self, request):
        data = {"sr_number": request.sr_number, "serial_number": "SN1", "customer_name": "Helios"}
        problem = DataError("no serial number", code="SERIAL_MISSING") if request.sr_number in self.broken else None
        return Record(keys.compose(request.sr_number, "SN1"), data, problem)

    def is_done(self, request):
        return keys.compose(request.sr_number, "SN1") not in self.waiting


class Killed(OneSample):
    """A step that ends in the middle of its work."""

    sweep = "lims/killed"

    async def carry(self):
        raise RuntimeError("killed")


class Beginning(Killed):
    sweep = "lims/beginning"
    begins = True


class Unwanted(OneSample):
    """A step that the laboratory has switched off."""

    sweep = "lims/unwanted"
    enabled = False


class Site:
    def __init__(self, lab, ledger):
        known = lab.credentials
        user = {"username": known.framework_username, "password": known.framework_password}
        self.lab = lab
        self.ledger = ledger
        self.framework = FrameworkClient(lab.framework_url, ledger=ledger, **user)
        self.lims = LIMSClient(lab.lims_url, api_key=known.lims_api_key, ledger=ledger, owner="test")

    def step(self, made=OneSample, **flags):
        return made(self.framework, self.lims, **flags)

    def begun(self, sweep=OneSample.sweep):
        return set(SweepBacklog(self.ledger, sweep).take({}, keep=False))

    def close(self):
        self.framework.close()
        self.lims.close()


@pytest.fixture
def site(tmp_path):
    with ExitStack() as stack:
        plan = sandbox.SeedPlan(requests=2, modules=1, protocols=1)
        lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=plan))
        yield stack.enter_context(closing(Site(lab, stack.enter_context(Ledger.in_memory()))))


def test_requests_are_chosen_until_nothing_of_them_waits_and_again_when_they_change(site):
    chosen = site.step().choose()
    assert chosen == {"SR-2025-0001": 1, "SR-2025-0002": 2}
    step = site.step()
    step.broken = frozenset({NUMBERS[1]})
    report = run(step.run(chosen.values()))
    assert report.counts()["created"] == report.counts()["quarantined"] == 1
    assert NUMBERS[1] in site.step().choose()
    site.lab.advance(1, "CLOSED")
    run(site.step().run([1]))
    assert site.begun() == {NUMBERS[1]}


def test_the_wanted_request_is_chosen_by_number_or_id_whatever_its_state(site):
    site.lab.advance(2, "CLOSED")
    assert site.step().choose(NUMBERS[1]) == site.step().choose("2") == {NUMBERS[1]: 2}
    with pytest.raises(DataError) as caught:
        site.step().choose("SR-1999-0001")
    assert caught.value.code == "SR_UNKNOWN"
    assert choose(site.framework, OPEN) == {NUMBERS[0]: 1}


def test_a_dry_run_says_what_would_happen_and_remembers_nothing(site):
    step = site.step(dry_run=True)
    report = run(step.run(step.choose().values()))
    assert report.dry_run
    assert report.counts()["created"] == 2
    assert site.begun() == set()
    assert list(site.ledger.entries("lims", "sample")) == []


def test_a_deleted_request_is_noted_and_forgotten_and_stops_no_other(site):
    step = site.step()
    step.choose()
    site.lab.vanish(2)
    report = run(step.run([1, 2]))
    assert report.counts()["created"] == 1
    assert [note for note in report.notes if "service request 2 has been deleted" in note]
    assert site.begun() == {NUMBERS[0]}


def test_a_replay_tries_again_what_waits_for_a_person(site):
    site.lab.faults("lims", {"route": SAMPLES, "kind": "error", "status": 422})
    assert run(site.step().run([1])).counts()["rejected"] == 1
    site.lab.faults("lims")
    assert run(site.step().run([1])).counts()["rejected"] == 1
    assert run(site.step(replay=True).run([1])).counts()["created"] == 1


def test_a_record_that_a_person_has_confirmed_as_it_is_waits_no_more(site):
    def report():
        step = site.step()
        step.broken = frozenset({NUMBERS[0]})
        return run(step.run([1]))

    assert report().counts()["quarantined"] == 1
    site.ledger.confirm("lims", "sample", f"{NUMBERS[0]}/SN1", "S-1", owner="person")
    assert report().counts()["unchanged"] == 1


def test_a_killed_worker_forgets_no_request_that_a_step_begins_with(site):
    for step, begun in ((Killed, set()), (Beginning, {NUMBERS[0]})):
        with pytest.raises(RuntimeError, match="killed"):
            run(site.step(step).run([1]))
        assert site.begun(step.sweep) == begun


def test_a_step_that_is_not_wanted_chooses_and_reads_nothing(site):
    assert site.step(Unwanted).choose() == {}
    assert run(site.step(Unwanted).run([1])).total() == 0
    assert site.begun(Unwanted.sweep) == set()


def test_nothing_is_settled_after_an_exchange_that_was_stopped(site):
    run(site.step().run([1]))
    step = site.step()
    site.lab.advance(1, "CLOSED")
    site.lab.faults("lims", {"route": SAMPLES, "kind": "error", "status": 401})
    report = run(step.run([1, 2]))
    assert report.error is not None
    assert NUMBERS[0] in site.begun()


def test_over_makes_the_step_and_runs_it(site):
    assert run(OneSample.over(site.framework, site.lims, [1], dry_run=True)).counts()["created"] == 1
