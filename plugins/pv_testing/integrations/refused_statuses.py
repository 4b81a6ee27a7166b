"""Statuses that the LIMS has refused are tried again once the sample isn't as it was then.

A refusal speaks of the sample's state at that time: one that hasn't arrived takes no status, and takes it when it has.
Of each refused status the ledger remembers the sample as the LIMS showed it before the last try, until the status is in
effect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pv_testing.core.errors import IntegrationError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Prepared, Record
from pv_testing.exchange.operation import Operation
from pv_testing.ledger import Ledger, State

NOTHING_SHOWN: dict[str, str] = {}

log = logging.getLogger(__name__)


async def release_changed(operation: Operation, ledger: Ledger, records: Iterable[Record], owner: str) -> None:
    """Let refused statuses be tried again whose sample has changed since.

    Args:
        operation: sets the status; its look-up shows the sample.
        ledger: knows what was refused.
        records: the statuses that are about to be sent.
        owner: who acts, for the audit trail.
    """
    await asyncio.to_thread(_forget_effective, operation, ledger)
    for record in await asyncio.to_thread(_refused, operation, ledger, records):
        shown = await _shown(operation, record)
        if shown:
            await asyncio.to_thread(_release, operation, ledger, record.key, shown, owner)


def _name(operation: Operation) -> str:
    return f"{operation.system}/refused/{operation.kind}"


def _forget_effective(operation: Operation, ledger: Ledger) -> None:
    """Forget statuses that are in effect by now."""
    kept = ledger.state(_name(operation), NOTHING_SHOWN)
    entries = ledger.states(operation.system, operation.kind, kept)
    effective = {key for key, entry in entries.items() if entry.state is State.CONFIRMED}
    if effective:
        ledger.update(_name(operation), lambda kept: _without(kept, effective), NOTHING_SHOWN)


def _without(kept: Mapping[str, str], keys: AbstractSet[str]) -> dict[str, str]:
    return {key: shown for key, shown in kept.items() if key not in keys}


def _refused(operation: Operation, ledger: Ledger, records: Iterable[Record]) -> list[Record]:
    refused = {entry.key for entry in ledger.entries(operation.system, operation.kind, [State.REJECTED])}
    return [record for record in records if record.key in refused and record.problem is None]


async def _shown(operation: Operation, record: Record) -> str:
    """Return a name for the sample as it is now; empty where the LIMS doesn't show it."""
    try:
        item = Prepared(record.key, operation.prepare(record), fingerprint="")
        found = (await operation.find([item]) or {}).get(record.key)
    except IntegrationError as error:
        log.warning("%s stays refused, because its sample can't be read: %s", record.key, error)
        return ""
    return "" if found is None or found.unclear or found.copies > 1 else fingerprint(dict(found.body))


def _release(operation: Operation, ledger: Ledger, key: str, shown: str, owner: str) -> None:
    kept = ledger.state(_name(operation), NOTHING_SHOWN)
    if kept.get(key) != shown:
        ledger.update(_name(operation), lambda kept: {**kept, key: shown}, NOTHING_SHOWN)
        ledger.release(operation.system, operation.kind, [key], owner=owner, automatic=True)
