"""Starts the runs that events in the inbox ask for: one for all that have come meanwhile, its id made of theirs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from pv_testing.core.errors import IntegrationError, redact
from pv_testing.core.visible import visible
from pv_testing.ledger import Ledger
from pv_testing.ledger.inbox import Received, Waiting
from pv_testing.workflow.request_locks import locked_subjects

IDLE_SECONDS, BUSY_SECONDS = 30.0, 2.0
APART = 3.0
"""Seconds by which the first of several runs goes ahead; side by side on few processors each would take longer."""
SHORTEST_WAIT, LONGEST_WAIT = 15.0, 3_600.0
LOCKED_WAITS = 2.0, 60.0
"""Seconds until an event is looked at again whose service request another run carries: the older, the longer."""
_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,150}")

log = logging.getLogger(__name__)


class Trigger(Protocol):
    """Starts runs of DAGs."""

    def has_queued(self, dag_id: str) -> bool:
        """Say whether a run of the DAG has not begun yet, which will see what events tell now."""

    def is_running(self, dag_id: str, run_id: str) -> bool:
        """Say whether a run is running, or will be."""

    def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], after: float = 0.0) -> None:
        """Start a run; one that is there already under this id is left as it is.

        Args:
            dag_id: of which DAG.
            run_id: its id.
            conf: its parameters.
            after: seconds for which it stays queued.
        """


def start_waiting(ledger: Ledger, trigger: Trigger, *, older: float = 0.0) -> int:
    """Start what is waiting to be started; return how many runs were.

    A DAG of which a run is queued already gets no further one: its events wait and are then started together. So do
    the events of a service request that a running run carries, which may not see what they tell. One service request is
    handed on; several are left to the DAG, which finds what has changed. Of several DAGs the first begins at once and
    the others a little later.

    Args:
        ledger: whose inbox.
        trigger: starts runs.
        older: only events that were received so many seconds ago.
    """
    waiting: dict[str, list[Waiting]] = {}
    for each in ledger.inbox.waiting(older=older):
        waiting.setdefault(each.event.dag, []).append(each)
    started = 0
    for dag_id, group in waiting.items():
        started += _start_one(ledger, trigger, dag_id, group, APART if started else 0.0)
    return started


def _start_one(ledger: Ledger, trigger: Trigger, dag_id: str, group: Sequence[Waiting], after: float) -> int:
    try:
        if trigger.has_queued(dag_id):
            return 0
        events = _unlocked(ledger, trigger, dag_id, group)
        if not events:
            return 0
        run_id = _run_id(events[0])
        trigger.start(dag_id, run_id, _conf(events), after)
    except Exception as error:  # noqa: BLE001 - the events stay, and are tried again
        _postpone(ledger, dag_id, group, error)
        return 0
    log.info("%s was started as %s for %d events", dag_id, visible(run_id), len(events))
    ledger.inbox.started(events, run_id)
    return 1


def _postpone(ledger: Ledger, dag_id: str, group: Sequence[Waiting], error: Exception) -> None:
    seconds = min(SHORTEST_WAIT * 2.0 ** min(group[0].attempts, 10), LONGEST_WAIT)
    why = error.message if isinstance(error, IntegrationError) else redact(f"{type(error).__name__}: {error}")
    log.warning("%s could not be started for %d events, again in %.0f s: %s", dag_id, len(group), seconds, why)
    ledger.inbox.postpone([each.event for each in group], seconds, why)


def _unlocked(ledger: Ledger, trigger: Trigger, dag_id: str, group: Sequence[Waiting]) -> list[Received]:
    """Return the events whose service request no running run carries; the others wait."""
    locks = locked_subjects(ledger, dag_id)
    holders = {locks[each.event.subject] for each in group if each.event.subject in locks}
    running = {run_id for run_id in holders if trigger.is_running(dag_id, run_id)}
    for run_id in sorted(running):
        behind = [each for each in group if locks.get(each.event.subject) == run_id]
        seconds = min(max((ledger.now() - behind[0].received_at) / 4, LOCKED_WAITS[0]), LOCKED_WAITS[1])
        text = "%d events of %s wait for the run %s, which carries their service request; looked at again in %.0f s"
        log.info(text, len(behind), dag_id, visible(run_id), seconds)
        ledger.inbox.put_off([each.event for each in behind], seconds, f"the run {run_id} carries the service request")
    return [each.event for each in group if locks.get(each.event.subject) not in running]


def _run_id(event: Received) -> str:
    named = event.id if _RUN_ID.fullmatch(event.id) else hashlib.sha256(event.id.encode()).hexdigest()
    return f"webhook__{event.source}__{named}"


def _conf(events: Sequence[Received]) -> dict[str, Any]:
    subjects = {event.subject for event in events}
    return {"sr": subjects.pop()} if len(subjects) == 1 and "" not in subjects else {}


class Starter:
    """Starts what arrives, in the background of the process that receives it, and tries again what failed.

    The first event after a pause starts its run at once; those that follow it are gathered for a moment.

    Args:
        ledger: whose inbox.
        trigger: starts runs.
        linger: seconds after a start within which events are gathered and then started together.
    """

    def __init__(self, ledger: Ledger, trigger: Trigger, linger: float) -> None:
        self._ledger = ledger
        self._trigger = trigger
        self._linger = linger
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Say that something has arrived; belongs to one event loop."""
        self._arrived.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        pause = IDLE_SECONDS
        while True:
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), pause)
            self._arrived.clear()
            try:
                await asyncio.to_thread(start_waiting, self._ledger, self._trigger)
                pause = min(max(await asyncio.to_thread(self._ledger.inbox.next_in), BUSY_SECONDS), IDLE_SECONDS)
            except IntegrationError as error:
                log.warning("what has arrived is started later: %s", error)
            await asyncio.sleep(self._linger)

    async def aclose(self) -> None:
        """End the background work; what is left is started by the next process or by the DAG pv_webhooks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=5)
