"""The way of many service requests through all DAGs, while any process may die: what fails is started again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import requests

from cluster.airflow import Cluster, wait_for
from cluster.certificates import CERTIFICATES
from demo.reports import numbers, reports_on, say, together
from demo.story import APPROVE, BY_DATA, DAGS, ON_DATA, READING_SECONDS, writes
from sandbox import Lab

RUN_SECONDS = 3600.0
MOST_RUNS = 6
FINAL = frozenset({"success", "failed"})


def _receive(lab: Lab, _: Sequence[int]) -> None:
    """Let all samples arrive at the laboratory."""
    lab.receive()


def _test(lab: Lab, sr_ids: Sequence[int], fraction: float) -> None:
    """Complete a share of the executions."""
    for sr_id in sr_ids:
        lab.advance(sr_id, "PROTOCOLS_ASSIGNED")
        lab.run_executions(sr_id, fraction)


def _approve(lab: Lab, sr_ids: Sequence[int]) -> None:
    """Approve the reports."""
    for sr_id in sr_ids:
        lab.advance(sr_id, "REPORTS_APPROVED")


STEPS: tuple[tuple[str, Callable[[Lab, Sequence[int]], None] | None], ...] = (
    ("pv_intake", None),
    ("pv_status_sync", _receive),
    ("pv_results", partial(_test, fraction=0.5)),
    ("pv_status_sync", None),
    ("pv_results", partial(_test, fraction=1.0)),
    ("pv_capa", None),
    ("pv_status_sync", _approve),
    ("pv_audit_sync", None),
)
"""The DAGs in their order, each with what the laboratory does before."""


class Journey:
    """Runs the DAGs and plays the laboratory's part between them.

    Args:
        cluster: where they run.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.lab = cluster.lab
        self.api = cluster.api
        self.count = 0
        self.begun = 0  # the number of the step
        self.states: Counter[str] = Counter()
        self._told: set[str] = set()
        self._asked: dict[str, float] = {}
        self._started = time.monotonic()

    def wait_for_dags(self) -> None:
        """Wait until Airflow has read the DAG files."""
        wanted = {*DAGS, CERTIFICATES}
        wait_for("the DAG files", lambda: self.api.dags().issuperset(wanted) or None, self.cluster.nodes)

    def carry(self) -> None:
        """Carry all service requests from their arrival to their invoice; before some DAGs, play the laboratory."""
        for number, (dag_id, before) in enumerate(STEPS, start=1):
            if before:
                before(self.lab, [request["id"] for request in self.lab.service_requests()])
            self.begun = number
            self.run(dag_id)

    def round(self) -> int:
        """Run every DAG once more and return how many requests to the systems were meant to change something."""
        last = {system: self._last_request(system) for system in self.lab.origins}
        before = set(self._told)
        for dag_id in DAGS:
            if not any(told.startswith(f"{dag_id} ") for told in self._told - before):  # new data may have started it
                self.run(dag_id)
        return sum(
            1
            for system, number in last.items()
            for request in self.lab.read_requests(system, number)
            if writes(request)
        )

    def run(self, dag_id: str) -> None:
        """Run a DAG until a run of it has succeeded, then wait for all runs that it sets off.

        Args:
            dag_id: the DAG.

        Raises:
            DemoError: that takes too long.
        """
        for _ in range(MOST_RUNS):
            self.count += 1
            run_id = f"cluster-{self.count:03}"
            started = time.monotonic()
            self.api.trigger(dag_id, run_id, {})
            state = self._wait_for(dag_id, run_id)
            self._tell(dag_id, run_id, state, time.monotonic() - started)
            self._settle()
            if state == "success":
                return

    def _wait_for(self, dag_id: str, run_id: str) -> str:
        finished = partial(self._finished, dag_id, run_id)
        return wait_for(f"{dag_id} {run_id}", finished, self.cluster.nodes, RUN_SECONDS)

    def _finished(self, dag_id: str, run_id: str) -> str | None:
        """Return a run's final state; answer the questions that it asks meanwhile."""
        for question in self.api.questions(dag_id, run_id):
            if self._waits_since(question["task_instance"]["id"]) >= READING_SECONDS:
                self._answer(dag_id, run_id, question)
        return self.api.finished(dag_id, run_id)

    def _waits_since(self, task: str) -> float:
        return time.monotonic() - self._asked.setdefault(task, time.monotonic())

    def _answer(self, dag_id: str, run_id: str, question: dict[str, Any]) -> None:
        try:
            self.cluster.quality.answer(dag_id, run_id, question, APPROVE)
        except requests.HTTPError as error:  # an answer whose confirmation was lost is there already
            if error.response is None or error.response.status_code != requests.codes.conflict:
                raise

    def _settle(self) -> None:
        """Wait for the runs that changed data has set off, and start a failed one again."""
        wait_for("the runs that new data set off", self._settled, self.cluster.nodes, RUN_SECONDS)
        failed = {}
        for run in self.api.runs():
            if run.kind == BY_DATA and f"{run.dag_id} {run.run_id}" not in self._told:
                self._tell(run.dag_id, run.run_id, run.state, None)
                failed[run.dag_id] = run.state == "failed"
        for dag_id in (each for each in failed if failed[each]):
            self.run(dag_id)

    def _settled(self) -> bool | None:
        if any(self.api.queued(dag_id) for dag_id in ON_DATA):
            return None
        return True if all(run.state in FINAL for run in self.api.runs()) else None

    def _tell(self, dag_id: str, run_id: str, state: str, seconds: float | None) -> None:
        self._told.add(f"{dag_id} {run_id}")
        tasks = self.api.tasks(dag_id, run_id)
        self.states[state] += 1
        reports = [self._report(dag_id, run_id, task) for task in tasks if task.state == "success" and reports_on(task)]
        counts = numbers(together(report for report in reports if report))
        tries = sum(max(task.attempt - 1, 0) for task in tasks)
        took = "" if seconds is None else f"{seconds:.0f} s, "
        told = f"{dag_id:<15} {state}: {took}{counts}" + (f"; {tries} further tries" if tries else "")
        say(f"{time.monotonic() - self._started:>6.0f} s  {told}")

    def _report(self, dag_id: str, run_id: str, task: Any) -> Any:
        try:
            return self.api.result(dag_id, run_id, task)
        except requests.HTTPError:
            return None

    def _last_request(self, system: str) -> int:
        return max((request["number"] for request in self.lab.read_requests(system)), default=0)
