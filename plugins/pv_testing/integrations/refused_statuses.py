"""Statuses that the LIMS has refused are tried again once the sample isn't as it was then.

A refusal speaks of the sample's state at that time: one that hasn't arrived takes no status, and takes it when it has.
Of each refused status the ledger remembers the sample as the LIMS showed it before the last try.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pv_testing.core.errors import IntegrationError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Prepared, Record
from pv_testing.exchange.operation import Operation
from pv_testing.ledger import Ledger, State

log = logging.getLogger(__name__)


async def release_changed(operation: Operation, ledger: Ledger, records: Iterable[Record], owner: str) -> None:
    """Let refused statuses be tried again whose sample has changed since.

    Args:
        operation: sets the status; its look-up shows the sample.
        ledger: knows what was refused.
        records: the statuses that are about to be sent.
        owner: who acts, for the audit trail.
    """
    for record in await asyncio.to_thread(_refused, operation, ledger, records):
        shown = await _shown(operation, record)
        if shown:
            await asyncio.to_thread(_release, operation, ledger, record.key, shown, owner)


def _refused(operation: Operation, ledger: Ledger, records: Iterable[Record]) -> list[Record]:
    refused = {entry.key for entry in ledger.entries(operation.system, operation.kind, [State.REJECTED])}
    return [record for record in records if record.key in refused and record.problem is None]


async def _shown(operation: Operation, record: Record) -> str:
    """Return a name for the sample as it is now; empty where the LIMS doesn't show it."""
    try:
        item = Prepared(record.key, operation.prepare(record), fingerprint="")
        found = (await operation.find([item]) or {}).get(record.key)
    except IntegrationError as error:
        log.warning("%s stays refused, for its sample can't be read: %s", record.key, error)
        return ""
    return "" if found is None or found.unclear or found.copies > 1 else fingerprint(dict(found.body))


def _release(operation: Operation, ledger: Ledger, key: str, shown: str, owner: str) -> None:
    name = f"{operation.system}/refused/{operation.kind}/{key}"
    if ledger.watermark(name) != shown:
        ledger.set_watermark(name, shown)
        ledger.release(operation.system, operation.kind, [key], owner=owner, automatic=True)
