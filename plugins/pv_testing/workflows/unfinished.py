"""Which service requests a sweep still has something to do for, so that it need not read each of them.

Open requests are found by their states. Closed ones are more every day, and a sweep that listed them all would sooner
or later do nothing else. Therefore the ledger remembers those requests that a sweep has begun with and not finished,
however old they are, and those that it has finished, with the time when they had changed last by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from pv_testing.domain.reading import text
from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import STATES
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger

CLOSED = STATES[-1]
DAY = 86_400.0
RECENT_DAYS = 30

Listed = Mapping[str, Any]


def is_over(request: ServiceRequest) -> bool:
    """Say whether nothing new is expected of a request: it is closed, or in a state that no workflow is about."""
    return request.status == CLOSED or request.status not in STATES


class Unfinished:
    """What the ledger remembers of the service requests of one sweep.

    Args:
        ledger: where it is remembered.
        name: of the sweep, such as ``erp/stock``.
        days: for how many days after its creation a request is looked for that was closed before any sweep saw it, or
            changed after it was finished; 0 to look for none.
    """

    def __init__(self, ledger: Ledger, name: str, days: int = 0) -> None:
        self._ledger = ledger
        self._name = name
        self._days = days

    def open(self, framework: FrameworkClient, status: str) -> list[int]:
        """Return the ids of the requests in a state that aren't finished, have changed since, or were so a day ago.

        Args:
            framework: asked for one listing.
            status: an open state.
        """
        finished = self._kept()["finished"]
        rows = framework.list_service_requests(status=status)
        return [int(row["id"]) for row in rows if not _is_finished(row, finished.get(row["sr_number"]))]

    def take(self, found: Mapping[str, int], *, keep: bool = True) -> dict[str, int]:
        """Return the ids of the requests that are begun and not finished, and of those that are found now.

        Those are begun from now on, so that none is forgotten that changes its state before any step has read it.

        Args:
            found: the ids of requests by their numbers.
            keep: whether that is remembered; a dry run keeps nothing.
        """
        if keep:
            self._change(lambda kept: {**kept, "begun": {**kept["begun"], **found}})
        return {**self._kept()["begun"], **found}

    def closed(self, framework: FrameworkClient, *, keep: bool = True) -> list[int]:
        """Return the ids of the requests that are begun and not finished, and of closed ones that aren't finished.

        Args:
            framework: asked for one listing: the closed requests that were created in the last thirty days, and once a
                day in all of ``days``.
            keep: whether the daily look is remembered; a dry run keeps nothing.
        """
        kept = self._kept()
        daily = self._days > RECENT_DAYS and time.time() - kept["looked"] >= DAY
        listed = self._listed(framework, self._days if daily else RECENT_DAYS, kept["finished"])
        if daily and keep:
            looked = time.time()
            self._change(lambda kept: {**kept, "begun": {**kept["begun"], **listed}, "looked": looked})
        return list(dict.fromkeys({**kept["begun"], **listed}.values()))

    def _listed(self, framework: FrameworkClient, days: int, finished: Mapping[str, Any]) -> dict[str, int]:
        if not self._days:
            return {}
        since = datetime.now(timezone.utc).date() - timedelta(days=min(days, self._days))
        rows = framework.list_service_requests(status=CLOSED, from_date=since.isoformat())
        return {
            row["sr_number"]: int(row["id"]) for row in rows if not _is_finished(row, finished.get(row["sr_number"]))
        }

    async def begin(self, requests: Iterable[ServiceRequest], deleted: Iterable[int] = ()) -> None:
        """Remember requests before anything is done for them, so that whatever stops a step forgets none.

        Args:
            requests: those that something is to be done for.
            deleted: the ids of those that the framework has no longer.
        """
        await self.keep([(request, False) for request in requests], deleted)

    async def keep(self, requests: Iterable[tuple[ServiceRequest, bool]], deleted: Iterable[int] = ()) -> None:
        """Remember how far requests are.

        Args:
            requests: each with whether nothing is left to do for it.
            deleted: the ids of those that the framework has no longer.
        """
        await asyncio.to_thread(self._keep, list(requests), set(deleted))

    def _keep(self, requests: list[tuple[ServiceRequest, bool]], deleted: set[int]) -> None:
        now = time.time()

        def after(kept: dict[str, Any]) -> dict[str, Any]:
            begun = {number: sr_id for number, sr_id in kept["begun"].items() if sr_id not in deleted}
            finished = {
                number: said for number, said in kept["finished"].items() if said["at"] > now - self._days * DAY
            }
            for request, is_finished in requests:
                if is_finished:
                    begun.pop(request.sr_number, None)
                    self._finish(request, finished, now)
                else:
                    begun[request.sr_number] = request.id
                    finished.pop(request.sr_number, None)
            return {**kept, "begun": begun, "finished": finished}

        self._change(after)

    def _finish(self, request: ServiceRequest, finished: dict[str, Any], now: float) -> None:
        changed = text(request.raw.get("updated_at"))
        said = finished.get(request.sr_number)
        if self._days and (said is None or said["changed"] != changed or now - said["at"] >= DAY):
            finished[request.sr_number] = {"changed": changed, "at": now}

    def _kept(self) -> dict[str, Any]:
        return _read(self._ledger.watermark(self._name))

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change what is kept as one step, for several tasks of a sweep may do so at the same time."""
        self._ledger.change_watermark(self._name, lambda said: orjson.dumps(change(_read(said))).decode())


def _read(said: str | None) -> dict[str, Any]:
    return {"begun": {}, "finished": {}, "looked": 0.0, **(orjson.loads(said) if said else {})}


def _is_finished(row: Listed, said: Mapping[str, Any] | None) -> bool:
    """Say whether nothing is left to do for a listed request; one whose changes aren't told is read once a day.

    So is an open one, in case a framework changes a request without saying when.
    """
    changed = text(row.get("updated_at"))
    if said is None or (changed and changed != said["changed"]):
        return False
    return bool(changed and row.get("status") == CLOSED) or time.time() - said["at"] < DAY
