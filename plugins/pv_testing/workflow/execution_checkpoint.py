"""Which executions are settled in a system, so that their results need not be read from the framework again.

A sweep every five minutes that reads 144 result sets would use up a quota of 1,000 requests an hour. Therefore the
ledger remembers, for each service request, the listing's row of every execution whose results are in effect. A row that
differs is read, and everything is read once a day, in case a framework corrects results without changing the row.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from pv_testing.core.records import Outcome
from pv_testing.domain.records import ServiceRequest
from pv_testing.ledger import Ledger

DAY = 86_400.0
EMPTY: dict[str, Any] = {}
FINISHED = ":finished/"


class ExecutionCheckpoint:
    """What the ledger remembers of one service request's executions.

    Args:
        ledger: where it is remembered.
        name: system, kind and service request, such as ``lims/result/SR-2025-0123``.
        contract: digest of the system's contract; under another one everything is read anew.
        anew: read everything this time, as a replay does.
    """

    def __init__(self, ledger: Ledger, name: str, contract: str, *, anew: bool = False) -> None:
        self._ledger = ledger
        self._name = name
        self._kept: dict[str, Any] = ledger.state(name, {})
        if anew or self._kept.get("contract") != contract or self._kept.get("until", 0.0) < time.time():
            self._kept = {"contract": contract, "until": time.time() + DAY, "rows": {}}
        self._rows: dict[str, str] = {}

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether the results of a listed execution are in effect and its row hasn't changed since."""
        execution_id = str(row.get("execution_id"))
        self._rows[execution_id] = digest(row)
        return bool(self._kept["rows"].get(execution_id) == self._rows[execution_id])

    def keep(self, outcomes: Iterable[Outcome], also: Iterable[str] = ()) -> None:
        """Remember those executions that are in effect now, and forget the others.

        Args:
            outcomes: what became of the records.
            also: executions of which there is nothing to be carried, such as one that passes.
        """
        done = {outcome.key for outcome in outcomes if outcome.result.in_effect} | set(also)
        rows = {execution_id: row for execution_id, row in self._rows.items() if execution_id in done}
        if rows != self._kept["rows"]:
            self._ledger.update(self._name, lambda _: {**self._kept, "rows": rows}, EMPTY)


def note_finished(ledger: Ledger, checkpoint: str, requests: Iterable[ServiceRequest]) -> None:
    """Remember the numbers of finished service requests under their ids, which are all that an execution says.

    Args:
        ledger: where it is remembered.
        checkpoint: what the names of the checkpoints begin with, such as ``lims/result``.
        requests: that nothing is left to do for.
    """
    for request in requests:
        _keep(ledger, f"{checkpoint}{FINISHED}{request.id}", request.sr_number)


def _keep(ledger: Ledger, name: str, number: str) -> None:
    ledger.update(name, lambda _: number, "")


def finished_number(ledger: Ledger, checkpoint: str, sr_id: str) -> str:
    """Return the number of a finished service request; empty for others. The arguments are as above."""
    return ledger.state(f"{checkpoint}{FINISHED}{sr_id}", "")


def has_changed(ledger: Ledger, name: str, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any listed execution of a service request differs from what is remembered; not where nothing is.

    Args:
        ledger: where it is remembered.
        name: as of :class:`ExecutionCheckpoint`.
        rows: of the listing.
    """
    known: Mapping[str, str] = ledger.state(name, EMPTY).get("rows", {})
    return bool(known) and any(known.get(str(row.get("execution_id"))) != digest(row) for row in rows)


def digest(row: Mapping[str, Any]) -> str:
    """Return a short name for the content of a listing's row."""
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
