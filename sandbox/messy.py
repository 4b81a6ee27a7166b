"""Requests as real life delivers them: each carries one flaw, named in its ``metadata.flaw``.

A page that repeats is no record; the fault rule ``repeat_page`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sandbox.framework.records import FrameworkRecords
from sandbox.framework.work import ExecutionPlan, plan

STARTED = datetime(2025, 11, 13, 6, 0, tzinfo=timezone.utc)
CREATED = "2025-10-01T08:00:00.000Z"
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Flaw:
    """A flaw of one request.

    Attributes:
        name: as ``metadata.flaw`` says it.
        columns: of the request that differ, where the flaw is in the request.
        measurement: changes the power measurement of the first execution, where the flaw is there.
        execution: columns of the first execution that differ.
    """

    name: str
    columns: Callable[[dict[str, Any]], dict[str, Any]] = dict
    measurement: Change | None = None
    execution: tuple[str, str] | None = None


def _module(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda columns: {"module": {**columns["module"], **changes}}


def _without_serials(columns: dict[str, Any]) -> dict[str, Any]:
    module = {name: each for name, each in columns["module"].items() if name != "serial_numbers"}
    return {"module": module}


def _repeated_serial(columns: dict[str, Any]) -> dict[str, Any]:
    first = columns["module"]["serial_numbers"][0]
    return {"module": {**columns["module"], "serial_numbers": [first, first]}}


FLAWS = (
    Flaw("serials_missing", columns=_without_serials),
    Flaw("serials_empty", columns=_module(serial_numbers=[])),
    Flaw("serial_twice", columns=_repeated_serial),
    Flaw("serials_fewer_than_quantity", columns=_module(quantity=3)),
    Flaw("status_unknown", columns=lambda _: {"status": "AWAITING_CUSTOMER"}),
    Flaw("unit_missing", measurement=lambda each: each.pop("unit")),
    Flaw("unit_not_convertible", measurement=lambda each: each.update(unit="V")),
    Flaw("value_nan", measurement=lambda each: each.update(value=float("nan"))),
    Flaw("value_nan_text", measurement=lambda each: each.update(value="NaN")),
    Flaw("timestamp_naive", execution=("completed_at", "2025-11-13T07:00:00")),
    Flaw("protocol_unknown", execution=("protocol_id", "PVTP-099")),
    Flaw("deleted_half_way", columns=lambda _: {"gone": 1}),
)


def add(records: FrameworkRecords) -> dict[str, int]:
    """Add one request of two modules for each flaw, with two complete executions, and return their ids by flaw."""
    return {flaw.name: _add(records, flaw) for flaw in FLAWS}


def _add(records: FrameworkRecords, flaw: Flaw) -> int:
    identity = int(records.store.value("SELECT coalesce(max(id), 0) + 1 FROM service_requests"))
    columns = _columns(identity, flaw)
    changes = flaw.columns(columns)
    records.add_service_request({**columns, **changes, "gone": 0})
    plan(records, identity, ExecutionPlan(failures=0.0, completed_from=STARTED))
    if flaw.measurement:
        _change_measurement(records, identity, flaw.measurement)
    if flaw.execution:
        name, text = flaw.execution
        records.store.execute(f"UPDATE executions SET {name} = ? WHERE {_FIRST}", (text, identity))  # noqa: S608
    if changes.get("gone"):
        records.store.execute("UPDATE service_requests SET gone = 1 WHERE id = ?", (identity,))
    return identity


_FIRST = "execution_id = (SELECT min(execution_id) FROM executions WHERE sr_id = ?)"


def _change_measurement(records: FrameworkRecords, sr_id: int, change: Change) -> None:
    results = json.loads(records.store.value(f"SELECT results FROM executions WHERE {_FIRST}", (sr_id,)))  # noqa: S608
    change(results["measurements"]["Pmax"])
    text = json.dumps(results, ensure_ascii=False)
    records.store.execute(f"UPDATE executions SET results = ? WHERE {_FIRST}", (text, sr_id))  # noqa: S608


def _columns(identity: int, flaw: Flaw) -> dict[str, Any]:
    serials = [f"MESSY{identity:05d}{letter}" for letter in "AB"]
    return {
        "id": identity,
        "sr_number": f"SR-2025-{identity:04d}",
        "status": "TESTING_COMPLETE",
        "customer": {"name": "Solar Power Industries"},
        "module": {
            "manufacturer": "AstraSolar",
            "model": "AST-400-M",
            "power_rating": 400.0,
            "quantity": len(serials),
            "serial_numbers": serials,
        },
        "testing": {"standards": ["IEC 61215"], "protocols": ["PVTP-001"], "priority": "normal"},
        "metadata": {"flaw": flaw.name},
        "created_by": "customer-portal",
        "created_at": CREATED,
        "updated_at": CREATED,
    }
