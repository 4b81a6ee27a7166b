"""Which service requests a sweep still has something to do for, so that it need not read each of them.

Open requests are found by their states. Closed ones are more every day, and a sweep that listed them all would sooner
or later do nothing else. Therefore the ledger remembers those requests that a sweep has begun with and not finished,
however old they are, and those that it has finished, with the time when they had changed last by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
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

    def closed(self, framework: FrameworkClient, *, keep: bool = True) -> list[int]:
        """Return the ids of the requests that are begun and not finished, and of closed ones that aren't finished.

        Args:
            framework: asked for one listing: the closed requests that were created in the last thirty days, and once a
                day in all of ``days``.
            keep: whether the daily look is remembered; a dry run keeps nothing.
        """
        kept = self._kept()
        daily = self._days > RECENT_DAYS and time.time() - kept["looked"] >= DAY
        begun = {**kept["begun"], **self._listed(framework, self._days if daily else RECENT_DAYS, kept["finished"])}
        if daily and keep:
            self._write({**kept, "begun": begun, "looked": time.time()})
        return list(dict.fromkeys(begun.values()))

    def _listed(self, framework: FrameworkClient, days: int, finished: Mapping[str, Any]) -> dict[str, int]:
        if not self._days:
            return {}
        since = datetime.now(timezone.utc).date() - timedelta(days=min(days, self._days))
        rows = framework.list_service_requests(status=CLOSED, from_date=since.isoformat())
        return {
            row["sr_number"]: int(row["id"]) for row in rows if not _is_finished(row, finished.get(row["sr_number"]))
        }

    def begun(self) -> dict[str, int]:
        """Return the ids of the requests that are begun and not finished, by their numbers."""
        return dict(self._kept()["begun"])

    async def keep(self, requests: Iterable[tuple[ServiceRequest, bool]], deleted: Iterable[int] = ()) -> None:
        """Remember how far requests are.

        Args:
            requests: each with whether nothing is left to do for it.
            deleted: the ids of those that the framework has no longer.
        """
        await asyncio.to_thread(self._keep, list(requests), set(deleted))

    def _keep(self, requests: list[tuple[ServiceRequest, bool]], deleted: set[int]) -> None:
        kept, now = self._kept(), time.time()
        begun = {number: sr_id for number, sr_id in kept["begun"].items() if sr_id not in deleted}
        finished = {number: said for number, said in kept["finished"].items() if said["at"] > now - self._days * DAY}
        for request, is_finished in requests:
            if not is_finished:
                begun[request.sr_number] = request.id
                finished.pop(request.sr_number, None)
                continue
            begun.pop(request.sr_number, None)
            changed = text(request.raw.get("updated_at"))
            said = finished.get(request.sr_number)
            if self._days and (said is None or said["changed"] != changed or now - said["at"] >= DAY):
                finished[request.sr_number] = {"changed": changed, "at": now}
        after = {**kept, "begun": begun, "finished": finished}
        if after != kept:
            self._write(after)

    def _kept(self) -> dict[str, Any]:
        said = self._ledger.watermark(self._name)
        return {"begun": {}, "finished": {}, "looked": 0.0, **(orjson.loads(said) if said else {})}

    def _write(self, kept: Mapping[str, Any]) -> None:
        self._ledger.set_watermark(self._name, orjson.dumps(kept).decode())


def _is_finished(row: Listed, said: Mapping[str, Any] | None) -> bool:
    """Say whether nothing is left to do for a listed request; one whose changes aren't told is read once a day.

    So is an open one, in case a framework changes a request without saying when.
    """
    changed = text(row.get("updated_at"))
    if said is None or (changed and changed != said["changed"]):
        return False
    return bool(changed and row.get("status") == CLOSED) or time.time() - said["at"] < DAY
