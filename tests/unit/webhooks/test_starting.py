"""One run is started for all events that have come meanwhile; what can't be started stays and is tried again."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from pv_testing.core.errors import NetworkError
from pv_testing.ledger.inbox import Received
from pv_testing.webhooks.starting import APART, Starter, start_waiting
from pv_testing.workflow.request_locks import RequestLocks
from tests.unit.webhooks.receiving import Runs


def receive(ledger, *subjects: str, dag: str = "pv_results") -> None:
    ledger.inbox.receive([Received("lims", f"e{n}", "x", subject, dag) for n, subject in enumerate(subjects)])


@pytest.mark.parametrize(
    ("subjects", "conf"),
    [
        (("SR-1",), {"sr": "SR-1"}),
        (("SR-1", "SR-1"), {"sr": "SR-1"}),
        (("SR-1", "SR-2"), {}),
        (("SR-1", ""), {}),
        (("",), {}),
    ],
)
def test_one_run_takes_all_and_is_told_of_the_only_service_request(ledger, subjects, conf) -> None:
    receive(ledger, *subjects)
    runs = Runs()
    assert start_waiting(ledger, runs) == 1
    assert runs.started == [("pv_results", "webhook__lims__e0", conf)]
    assert start_waiting(ledger, runs) == 0


def test_of_several_dags_the_first_begins_at_once_and_the_others_a_little_later(ledger) -> None:
    ledger.inbox.receive([Received("lims", "e", "x", "SR-1", dag) for dag in ("pv_projects", "pv_intake")])
    runs = Runs()
    assert start_waiting(ledger, runs) == 2
    assert runs.after == {"pv_intake": 0.0, "pv_projects": APART}
    receive(ledger, "SR-1", "SR-2", dag="pv_quality")
    start_waiting(ledger, runs)
    assert runs.after["pv_quality"] == 0.0


def test_a_dag_with_a_queued_run_gets_no_further_one_until_that_has_begun(ledger) -> None:
    receive(ledger, "SR-1", "SR-2")
    runs = Runs(queued={"pv_results"})
    assert start_waiting(ledger, runs) == 0
    runs.queued.clear()
    assert start_waiting(ledger, runs) == 1


def test_an_event_waits_for_the_run_that_carries_its_service_request_and_holds_up_no_other(ledger) -> None:
    runs = Runs(running={("pv_results", "huge")})
    RequestLocks(ledger, "pv_results", "a sweep", "huge", is_running=bool).lock({"SR-1": 17})
    receive(ledger, "SR-1", "SR-2", "17")
    assert start_waiting(ledger, runs) == 1
    assert runs.started == [("pv_results", "webhook__lims__e1", {"sr": "SR-2"})]
    assert ledger.inbox.counts() == {("lims", "started"): 1, ("lims", "waiting"): 2}
    assert ledger.inbox.waiting() == []
    for started in (0, 1):
        with ledger._store.exclusive() as connection:
            connection.execute(text("UPDATE ledger_inbox SET next_at = 1"))
        assert [each.attempts for each in ledger.inbox.waiting()] == [0, 0]
        assert start_waiting(ledger, runs) == started
        runs.running.clear()
    assert runs.started[1:] == [("pv_results", "webhook__lims__e0", {})]


def test_runs_of_another_dag_hold_no_event_back(ledger) -> None:
    RequestLocks(ledger, "pv_intake", "a sweep", "huge", is_running=bool).lock({"SR-1": 17})
    receive(ledger, "SR-1")
    assert start_waiting(ledger, Runs(running={("pv_intake", "huge")})) == 1


def test_what_can_t_be_started_stays_and_is_tried_again_later(ledger) -> None:
    receive(ledger, "SR-1")
    runs = Runs(fails=NetworkError("Airflow can't be reached"))
    assert start_waiting(ledger, runs) == 0
    assert ledger.inbox.waiting() == []
    assert ledger.inbox.counts() == {("lims", "waiting"): 1}
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_inbox SET next_at = 1"))
    runs.fails = None
    assert start_waiting(ledger, runs) == 1


def test_a_strange_id_gives_a_run_id_that_airflow_takes(ledger) -> None:
    ledger.inbox.receive([Received("lims", "sha256:ab/../\u00e9 x", "x", "", "pv_results")])
    runs = Runs()
    start_waiting(ledger, runs)
    assert runs.started[0][1].removeprefix("webhook__lims__").isalnum()


def test_started_events_are_known_for_a_while_and_then_forgotten(ledger) -> None:
    receive(ledger, "SR-1")
    start_waiting(ledger, Runs())
    receive(ledger, "SR-1")
    assert ledger.inbox.waiting() == []
    with ledger._store.exclusive() as connection:
        connection.execute(text("UPDATE ledger_inbox SET received_at = 1"))
    assert ledger.inbox.prune(30) == 1


def test_the_first_event_starts_its_run_at_once_and_those_that_follow_start_one_together(ledger) -> None:
    runs = Runs()

    async def until(number: int) -> None:
        while len(runs.started) < number:  # noqa: ASYNC110 - a list
            await asyncio.sleep(0.005)

    async def events() -> None:
        patient = Starter(ledger, runs, linger=600)
        receive(ledger, "SR-0")
        patient.wake()
        await asyncio.wait_for(until(1), 30)
        while ledger.inbox.waiting():  # noqa: ASYNC110 - what a thread writes
            await asyncio.sleep(0.005)
        await patient.aclose()
        starter = Starter(ledger, runs, linger=0.3)
        receive(ledger, "SR-0", "SR-1", dag="pv_intake")
        starter.wake()
        await asyncio.wait_for(until(2), 30)
        for subject in ("SR-2", "SR-3"):
            ledger.inbox.receive([Received("lims", subject, "x", subject, "pv_intake")])
            starter.wake()
        await asyncio.wait_for(until(3), 30)
        await starter.aclose()

    asyncio.run(events())
    assert runs.started[2] == ("pv_intake", "webhook__lims__SR-2", {})
    assert len(runs.started) == 3
    assert ledger.inbox.waiting() == []


def test_an_event_of_a_locked_request_is_looked_at_again_as_soon_as_the_log_says(ledger) -> None:
    runs = Runs(running={("pv_results", "huge")})
    locks = RequestLocks(ledger, "pv_results", "a sweep", "huge", is_running=bool)
    locks.lock({"SR-1": 17})

    async def events() -> None:
        starter = Starter(ledger, runs, linger=0.01)
        receive(ledger, "SR-1")
        starter.wake()
        while ledger.inbox.waiting():  # noqa: ASYNC110 - what a thread writes
            await asyncio.sleep(0.005)
        locks.unlock([17])
        for _ in range(100):
            if runs.started:
                break
            await asyncio.sleep(0.1)
        await starter.aclose()

    asyncio.run(events())
    assert runs.started == [("pv_results", "webhook__lims__e0", {"sr": "SR-1"})]
