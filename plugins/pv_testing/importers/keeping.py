"""Rows that are carried nowhere but kept in the ledger, where a step reads them: results that a LIMS wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import orjson

from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.core.values import plain
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger, State


class KeepRows:
    """Keeps rows in the ledger; an operation for the exchange engine, so that each has its outcome and its trail.

    Args:
        ledger: where.
        system: whose rows they are.
        name: of the import.
    """

    provider = "files"
    limits = OperationLimits(batch_size=500, change_batch_size=500, concurrency=1, timeout=30, horizon=0)

    def __init__(self, ledger: Ledger, system: str, name: str) -> None:
        self._ledger = ledger
        self.system, self.name, self.kind = system, f"import_{name}", kind_of(name)

    def prepare(self, record: Record) -> Payload:
        """Return the record as JSON has it."""
        return {name: plain(value) for name, value in record.data.items() if value is not None}

    async def send(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Keep rows, all in one transaction."""
        marks = {place(self.system, self.kind, item.key): partial(_kept, item.payload) for item in batch}
        detail = {"rows": len(batch)}
        await asyncio.to_thread(
            self._ledger.record, "imported", system=self.system, kind=self.kind, detail=detail, marks=marks
        )
        return [Reply(Verdict.OK, item.key) for item in batch]

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look rows up."""
        found = {}
        for item in batch:
            kept = await asyncio.to_thread(_read, self._ledger, self.system, self.kind, item.key)
            if kept:
                found[item.key] = Found(item.key, in_effect=kept == item.payload)
        return found


def kind_of(name: str) -> str:
    """Return the kind under which the ledger knows the rows of an import."""
    return f"imported_{name}"


def place(system: str, kind: str, key: str) -> str:
    """Return under which key of the ledger's state a row is kept."""
    return f"imports/{system}/{kind}/{sha256(key.encode()).hexdigest()[:40]}"


def imported(ledger: Ledger, system: str, name: str, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the rows that an import has kept, as business key and record, in the order of the keys.

    Args:
        ledger: where they are.
        system: whose rows they are.
        name: of the import, as the contract calls it.
        prefix: only keys that begin so.
    """
    for entry in ledger.entries(system, kind_of(name), states=[State.CONFIRMED], prefix=prefix or None):
        yield entry.key, _read(ledger, system, kind_of(name), entry.key)


def _read(ledger: Ledger, system: str, kind: str, key: str) -> dict[str, Any]:
    return ledger.state(place(system, kind, key), {})


def _kept(payload: Payload, _: str | None) -> str:
    return orjson.dumps(payload).decode()
