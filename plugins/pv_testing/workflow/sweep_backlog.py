"""Which service requests a sweep still has something to do for, so that it need not read each of them.

The ledger remembers, for each sweep, those requests that it has begun with and not finished, however old they are, and
those that it has finished, with the time when they had changed last by then. Of those that it has begun with, some
wait, which are read by every run; of the others a run reads those that have changed since, and each one once a day, in
case the framework has changed something without saying so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pv_testing.domain.reading import text
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import STATES
from pv_testing.ledger import Ledger
from pv_testing.workflow.changes import has_turned, stamp_of

CLOSED = STATES[-1]
DAY = 86_400.0

Kept = dict[str, Any]
NOTHING: Kept = {}
Row = Mapping[str, Any]


def is_over(request: ServiceRequest) -> bool:
    """Say whether nothing new is expected of a request: it is closed, or in a state that no workflow is about."""
    return request.status == CLOSED or request.status not in STATES


class SweepBacklog:
    """What the ledger remembers of the service requests of one sweep.

    It is made before the framework is read: what changes afterwards is read again.

    Args:
        ledger: where it is remembered.
        name: of the sweep, such as ``erp/stock``.
        days: for how many days after its creation a request is looked for that was closed before any sweep saw it, or
            changed after it was finished; 0 to look for none.
    """

    def __init__(self, ledger: Ledger, name: str, days: int = 0) -> None:
        self.ledger = ledger
        self.name = name
        self.days = days
        self._opened = ledger.now()

    def take(self, new: Mapping[str, int], *, keep: bool = True) -> dict[str, int]:
        """Return the ids of the requests that are begun and not finished, and of new ones.

        The new ones are begun from now on, so that none is forgotten that changes its state before a step has read it.

        Args:
            new: the ids of requests by their numbers.
            keep: whether that is remembered; a dry run keeps nothing.
        """
        if keep:
            self.change(lambda kept: self._due({**kept, "begun": {**kept["begun"], **new}}, new))
        return {**self.kept()["begun"], **new}

    async def begin(self, requests: Iterable[ServiceRequest], deleted: Iterable[int] = ()) -> None:
        """Remember requests before anything is done for them, so that whatever stops a step forgets none.

        Args:
            requests: those that something is to be done for.
            deleted: the ids of those that the framework has no longer.
        """
        await self.keep([(request, False) for request in requests], deleted)

    async def keep(
        self,
        requests: Iterable[tuple[ServiceRequest, bool]],
        deleted: Iterable[int] = (),
        *,
        settled: Iterable[ServiceRequest] = (),
    ) -> None:
        """Remember how far requests are.

        Args:
            requests: each with whether nothing is left to do for it.
            deleted: the ids of those that the framework has no longer.
            settled: those that aren't finished and of which nothing waits, so that they aren't read before they change.
        """
        await asyncio.to_thread(self._keep, list(requests), set(deleted), list(settled))

    async def settle(
        self, requests: Iterable[ServiceRequest], done: Collection[str], deleted: Iterable[int] = ()
    ) -> None:
        """Remember of which requests nothing waits: those that are over are finished, the others read when they change.

        Args:
            requests: all that were read.
            done: the numbers of those of which nothing waits.
            deleted: the ids of those that the framework has no longer.
        """
        read = list(requests)
        settled = [request for request in read if request.sr_number in done]
        await self.keep([(each, is_over(each) and each.sr_number in done) for each in read], deleted, settled=settled)

    def _keep(
        self, requests: list[tuple[ServiceRequest, bool]], deleted: set[int], settled: list[ServiceRequest]
    ) -> None:
        now = time.time()
        idle = {request.sr_number for request in settled}

        def after(kept: Kept) -> Kept:
            begun = {number: sr_id for number, sr_id in kept["begun"].items() if sr_id not in deleted}
            oldest = now - self.days * DAY
            finished = {number: entry for number, entry in kept["finished"].items() if entry["at"] > oldest}
            for request, is_finished in requests:
                if is_finished and not self._has_changed(kept, request.sr_number):
                    begun.pop(request.sr_number, None)
                    self._finish(request, finished, now)
                else:
                    begun[request.sr_number] = request.id
                    finished.pop(request.sr_number, None)
            waiting = [request.sr_number for request, _ in requests if request.sr_number in begun.keys() - idle]
            return self._settle(self._due({**kept, "begun": begun, "finished": finished}, waiting), settled)

        self.change(after)

    def _due(self, kept: Kept, numbers: Iterable[str], changed_at: float = 0.0) -> Kept:
        """Let the next run read requests, and forget how far those are that aren't begun any more.

        Args:
            kept: what is remembered.
            numbers: of the requests.
            changed_at: when they were seen to have changed, so that an attempt that began before settles them no more.
        """
        due = {number: at for number, at in kept["due"].items() if number in kept["begun"]}
        for number in numbers:
            due[number] = changed_at or due.get(number, self._opened)
        idle = kept["begun"].keys() - due.keys()
        read = {number: entry for number, entry in kept["read"].items() if number in idle}
        return {**kept, "due": due, "read": read}

    def _settle(self, kept: Kept, settled: Iterable[ServiceRequest]) -> Kept:
        """Note requests as read; but those that say no time of change, or have changed since this attempt began."""
        due, read = dict(kept["due"]), dict(kept["read"])
        for request in settled:
            number, stamp = request.sr_number, stamp_of(request.raw)
            if number not in kept["begun"] or self._has_changed(kept, number) or stamp is None:
                continue
            due.pop(number, None)
            before = read.get(number)
            if before is None or before[1] != stamp or has_turned(number, before[0], self._opened, DAY):
                read[number] = [self._opened, stamp]
        return {**kept, "due": due, "read": read}

    def _finish(self, request: ServiceRequest, finished: dict[str, Any], now: float) -> None:
        changed = text(request.raw.get("updated_at"))
        entry = finished.get(request.sr_number)
        again = entry is None or entry["changed"] != changed or has_turned(request.sr_number, entry["at"], now, DAY)
        if self.days and again:
            still_open = {} if is_over(request) else {"open": request.id}
            finished[request.sr_number] = {"changed": changed, "at": now, **still_open}

    def changed(self, sr_ids: Collection[int]) -> dict[str, int]:
        """Return the ids, by their numbers, of requests that a sweep has seen changed since this object was made.

        Args:
            sr_ids: of those that an attempt has read meanwhile, perhaps before they changed.
        """
        kept = self.kept()
        begun = {number: sr_id for number, sr_id in kept["begun"].items() if sr_id in sr_ids}
        return {number: sr_id for number, sr_id in begun.items() if self._has_changed(kept, number)}

    def _has_changed(self, kept: Kept, number: str) -> bool:
        """Say whether a sweep has seen a request changed since this object was made."""
        return bool(kept["due"].get(number, 0.0) > self._opened)

    def mark(self, kept: Kept, new: Mapping[str, int], changed: Iterable[str], at: float, **facts: Any) -> Kept:
        """Return the facts to remember of a look into the framework.

        Args:
            kept: what was remembered.
            new: the ids of requests that the sweep begins with, by their numbers.
            changed: the numbers of those that have changed, or must be read.
            at: when the look had ended, on the ledger's clock.
            facts: how far it came.
        """
        begun = {**kept["begun"], **new}
        return self._due({**kept, **facts, "begun": begun}, begun.keys() & set(changed), at)

    def numbers(self) -> dict[int, str]:
        """Return the numbers, by their ids, of the requests that are begun and not finished."""
        return {sr_id: number for number, sr_id in self.kept()["begun"].items()}

    def kept(self) -> Kept:
        """Return the facts that are remembered."""
        return _complete(self.ledger.state(self.name, {}))

    def change(self, change: Callable[[Kept], Kept]) -> None:
        """Change what is kept as one step, for several tasks of a sweep may do so at the same time."""
        self.ledger.update(self.name, lambda kept: change(_complete(kept)), NOTHING)


def _complete(kept: Kept) -> Kept:
    empty: Kept = {"begun": {}, "finished": {}, "due": {}, "read": {}, "place": None, "whole": 0.0, "again": False}
    return {**empty, "rules": "", **kept}


def is_finished(row: Row, entry: Mapping[str, Any] | None) -> bool:
    """Say whether nothing is left to do for a listed request; one whose changes aren't told is read once a day.

    So is an open one, in case a framework changes a request without saying when.

    Args:
        row: as the framework lists it.
        entry: what is remembered of it since it was finished.
    """
    changed = text(row.get("updated_at"))
    if entry is None or (changed and changed != entry["changed"]):
        return False
    return bool(changed and row.get("status") == CLOSED) or time.time() - entry["at"] < DAY
