"""A service request is carried by one run of a DAG at a time; a run that has ended locks nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pv_testing.ledger import Ledger
from pv_testing.workflow.request_locks import RequestLocks, locked_subjects
from tests.unit.ledger.conftest import ledger, open_ledger, url  # noqa: F401 - fixtures


class Runs:
    """Knows which runs are running, and counts how often that is asked."""

    def __init__(self, *running: str) -> None:
        self.running = set(running)
        self.asked = 0

    def __call__(self, run_id: str) -> bool:
        self.asked += 1
        return run_id in self.running

    def locks(
        self,
        ledger: Ledger,  # noqa: F811
        run_id: str,
        dag_id: str = "pv_intake",
        sweep: str = "lims/samples",
    ) -> RequestLocks:
        return RequestLocks(ledger, dag_id, sweep, run_id, self)


def test_what_one_run_has_locked_is_left_to_it_and_the_rest_is_locked(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first", "second")
    assert runs.locks(ledger, "first").lock({"SR-1": 1, "SR-2": 2}) == {}
    assert runs.locks(ledger, "second").lock({"SR-2": 2, "SR-3": 3}) == {"SR-2": "first"}
    assert runs.locks(ledger, "first").lock({"SR-1": 1, "SR-3": 3}) == {"SR-3": "second"}
    assert locked_subjects(ledger, "pv_intake") == {
        **dict.fromkeys(("1", "SR-1", "2", "SR-2"), "first"),
        **dict.fromkeys(("3", "SR-3"), "second"),
    }
    assert runs.locks(ledger, "third", "pv_results").lock({"SR-1": 1}) == {}


def test_what_one_sweep_of_a_dag_carries_another_one_may_carry_meanwhile(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first", "second")
    assert runs.locks(ledger, "first", sweep="pm/tasks").lock({"SR-1": 1}) == {}
    assert runs.locks(ledger, "second", sweep="pm/hours").lock({"SR-1": 1, "SR-2": 2}) == {}
    runs.locks(ledger, "second", sweep="pm/tasks").unlock([1])
    assert runs.locks(ledger, "second", sweep="pm/tasks").lock({"SR-1": 1}) == {"SR-1": "first"}
    assert set(locked_subjects(ledger, "pv_intake")) == {"1", "SR-1", "2", "SR-2"}


def test_another_try_of_a_run_has_its_locks(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first")
    for _ in range(2):
        assert runs.locks(ledger, "first").lock({"SR-1": 1}) == {}
    assert runs.asked == 0


def test_a_task_unlocks_what_its_own_run_has_locked(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first", "second")
    runs.locks(ledger, "first").lock({"SR-1": 1, "SR-2": 2})
    runs.locks(ledger, "second").unlock([1])
    assert runs.locks(ledger, "second").lock({"SR-1": 1}) == {"SR-1": "first"}
    runs.locks(ledger, "first").unlock([1])
    assert runs.locks(ledger, "second").lock({"SR-1": 1, "SR-2": 2}) == {"SR-2": "first"}


def test_a_run_that_has_ended_locks_nothing(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first")
    runs.locks(ledger, "first").lock({"SR-1": 1, "SR-2": 2})
    runs.running.clear()
    assert runs.locks(ledger, "second").lock({"SR-1": 1}) == {}
    assert locked_subjects(ledger, "pv_intake") == dict.fromkeys(("1", "SR-1"), "second")


def test_of_runs_that_lock_at_the_same_time_one_has_each_request(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs(*map(str, range(8)))
    wanted = {f"SR-{number}": number for number in range(20)}
    with ThreadPoolExecutor(8) as pool:
        others = list(pool.map(lambda run_id: runs.locks(ledger, run_id).lock(wanted), sorted(runs.running)))
    carried = [number for left in others for number in wanted.keys() - left.keys()]
    assert sorted(carried) == sorted(wanted)


def test_nothing_to_do_asks_and_writes_nothing(ledger: Ledger) -> None:  # noqa: F811
    runs = Runs("first")
    runs.locks(ledger, "first").lock({"SR-1": 1})
    before = ledger.state("locks/pv_intake", {})
    assert runs.locks(ledger, "second").lock({}) == {}
    assert (runs.asked, ledger.state("locks/pv_intake", {})) == (0, before)


@pytest.mark.parametrize("unlocked", [False, True])
def test_locks_are_no_events_of_the_audit_trail_and_it_verifies(ledger: Ledger, unlocked: bool) -> None:  # noqa: F811
    locks = Runs("first").locks(ledger, "first")
    locks.lock({"SR-1": 1})
    if unlocked:
        locks.unlock([1])
    assert ledger.verify().count == 0
