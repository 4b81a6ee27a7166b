"""Which service requests a sweep still has something to do for after they are closed.

Open requests are found by their states. Closed ones are more every day, and a sweep that listed them all would sooner
or later do nothing else. Therefore the ledger remembers those requests that a sweep has begun with and not finished;
and of the requests of the last days, which may have been closed before any sweep saw them, those that are finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

import orjson

from pv_testing.domain.status import STATES
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger


class Unfinished:
    """What the ledger remembers of the service requests of one sweep.

    Args:
        ledger: where it is remembered.
        name: of the sweep, such as ``erp/stock``.
        days: for how many days a finished request is remembered.
    """

    def __init__(self, ledger: Ledger, name: str, days: int) -> None:
        self._ledger = ledger
        self._name = name
        self._days = days

    def closed(self, framework: FrameworkClient) -> list[int]:
        """Return the ids of the requests that are begun and not finished, and of unseen ones that are closed.

        Args:
            framework: asked for one listing: the closed requests of the last days, by their day of creation.
        """
        kept = self._kept()
        ids = list(kept["begun"].values())
        if self._days:
            listed = framework.list_service_requests(status=STATES[-1], from_date=self._since().isoformat())
            ids += [int(row["id"]) for row in listed if row["sr_number"] not in kept["finished"]]
        return list(dict.fromkeys(ids))

    async def keep(self, requests: Mapping[str, tuple[int, bool]], deleted: list[int]) -> None:
        """Remember how far requests are.

        Args:
            requests: by number, the framework's id, and whether nothing is left to do.
            deleted: the ids of those that the framework has no longer.
        """
        await asyncio.to_thread(self._keep, requests, deleted)

    def _keep(self, requests: Mapping[str, tuple[int, bool]], deleted: list[int]) -> None:
        kept = self._kept()
        today = datetime.now(timezone.utc).date().isoformat()
        begun = {number: sr_id for number, sr_id in kept["begun"].items() if sr_id not in deleted}
        begun |= {number: sr_id for number, (sr_id, finished) in requests.items() if not finished}
        done = {number for number, (_, finished) in requests.items() if finished}
        finished = {**dict.fromkeys(done, today), **kept["finished"]}
        since = self._since().isoformat()
        now = {
            "begun": {number: sr_id for number, sr_id in begun.items() if number not in done},
            "finished": {number: day for number, day in finished.items() if day >= since},
        }
        if now != kept:
            self._ledger.set_watermark(self._name, orjson.dumps(now).decode())

    def _kept(self) -> dict[str, Any]:
        kept = self._ledger.watermark(self._name)
        found: dict[str, Any] = orjson.loads(kept) if kept else {"begun": {}, "finished": {}}
        return found

    def _since(self) -> date:
        return datetime.now(timezone.utc).date() - timedelta(days=self._days)
