"""Which service requests a running run of a DAG carries, so that a run beside it leaves them alone.

A lock ends with the task that carries the request. It counts no longer than its run is running, so that a task which
was killed locks nothing forever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from pv_testing.ledger import Ledger
from pv_testing.ledger.marks import LOCKS

Locks = dict[str, dict[str, list[str]]]
"""By sweep and by the id of each request that is locked in it: its number and the run that carries it."""
NONE: Locks = {}
UNFINISHED = ("queued", "running")
"""Airflow's states of those runs whose locks count."""


class RequestLocks:
    """The locks that one run of a DAG has, and may take, in one of its sweeps.

    Args:
        ledger: where the locks are kept.
        dag_id: of the DAG; runs of different DAGs don't lock each other out.
        sweep: such as ``lims/results``; what one step of a DAG carries, another one may carry meanwhile.
        run_id: of the run.
        is_running: says whether another run of the DAG, by its id, is running or will be.
    """

    def __init__(self, ledger: Ledger, dag_id: str, sweep: str, run_id: str, is_running: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._key = f"{LOCKS}{dag_id}"
        self._sweep = sweep
        self._run_id = run_id
        self._is_running = is_running

    def in_use(self) -> bool:
        """Say whether runs of the DAG lock service requests in this sweep at all."""
        return self._sweep in self._ledger.state(self._key, NONE)

    def lock(self, wanted: Mapping[str, int]) -> dict[str, str]:
        """Lock service requests; return the numbers of those that another run has locked, each with its run's id.

        Args:
            wanted: the ids of the requests by their numbers.
        """
        if not wanted:
            return {}
        known = self._ledger.state(self._key, NONE).get(self._sweep, {})
        others = {run_id for _, run_id in known.values()} - {self._run_id}
        ended = {run_id for run_id in others if not self._is_running(run_id)}

        def with_ours(kept: Locks) -> Locks:
            locks = {sr_id: lock for sr_id, lock in kept.get(self._sweep, {}).items() if lock[1] not in ended}
            for number, sr_id in wanted.items():
                locks.setdefault(str(sr_id), [number, self._run_id])
            return {**kept, self._sweep: locks}

        locks = self._ledger.update(self._key, with_ours, NONE)[self._sweep]
        holders = {number: locks[str(sr_id)][1] for number, sr_id in wanted.items()}
        return {number: run_id for number, run_id in holders.items() if run_id != self._run_id}

    def unlock(self, sr_ids: Collection[int]) -> None:
        """Let other runs carry service requests; those that another run has locked stay locked."""
        ids = set(map(str, sr_ids))

        def without_ours(kept: Locks) -> Locks:
            known = kept.get(self._sweep, {})
            left = {sr_id: lock for sr_id, lock in known.items() if sr_id not in ids or lock[1] != self._run_id}
            return {**kept, self._sweep: left}

        self._ledger.update(self._key, without_ours, NONE)


def locked_subjects(ledger: Ledger, dag_id: str) -> dict[str, str]:
    """Return the run that has locked each service request of a DAG, by the request's number and by its id.

    Args:
        ledger: where the locks are kept.
        dag_id: of the DAG.
    """
    subjects: dict[str, str] = {}
    for locks in ledger.state(f"{LOCKS}{dag_id}", NONE).values():
        for sr_id, (number, run_id) in locks.items():
            subjects.update({sr_id: run_id, number: run_id})
    return subjects
