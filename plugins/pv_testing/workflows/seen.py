"""Which approved and closed service requests a sweep has nothing to do for, so that it need not read each of them.

A laboratory closes more requests every day. Therefore the ledger remembers those that a sweep was done with, and when
they had changed last by then. One that has changed since is read again; one that isn't closed yet is read once a day
anyway, in case a framework changes a request without saying when.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from pv_testing.domain.records import ServiceRequest
from pv_testing.domain.status import STATES
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflows.billed import APPROVED

DAY = 86_400.0
CLOSED = STATES[-1]
CLOSED_DAYS = 730


class Seen:
    """What the ledger remembers of one sweep.

    Args:
        ledger: where it is remembered.
        name: of the sweep, such as ``erp/invoices``.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = f"{name}/seen"

    def due(self, framework: FrameworkClient) -> list[int]:
        """Return the ids of approved requests, and of those closed in two years, that the sweep isn't done with.

        Args:
            framework: asked for two listings.
        """
        since = (datetime.now(timezone.utc) - timedelta(days=CLOSED_DAYS)).date().isoformat()
        rows = framework.list_service_requests(status=APPROVED)
        rows += framework.list_service_requests(status=CLOSED, from_date=since)
        kept = self._kept()
        return [int(row["id"]) for row in rows if not _done(row, kept.get(str(row["sr_number"])))]

    def keep(self, requests: Iterable[ServiceRequest]) -> None:
        """Remember the requests that the sweep is done with; those without a time of change are read every time."""
        now = time.time()
        kept = {number: said for number, said in self._kept().items() if said["at"] > now - CLOSED_DAYS * DAY}
        done = {each.sr_number: str(each.raw.get("updated_at") or "") for each in requests}
        new = {number: changed for number, changed in done.items() if changed and _stale(kept.get(number), changed)}
        if new:
            kept |= {number: {"changed": changed, "at": now} for number, changed in new.items()}
            self._ledger.set_watermark(self._name, orjson.dumps(kept).decode())

    def _kept(self) -> dict[str, Any]:
        said = self._ledger.watermark(self._name)
        found: dict[str, Any] = orjson.loads(said) if said else {}
        return found


def _done(row: dict[str, Any], said: dict[str, Any] | None) -> bool:
    if said is None or said["changed"] != row.get("updated_at"):
        return False
    return row.get("status") == CLOSED or time.time() - said["at"] < DAY


def _stale(said: dict[str, Any] | None, changed: str) -> bool:
    return said is None or said["changed"] != changed or time.time() - said["at"] >= DAY
