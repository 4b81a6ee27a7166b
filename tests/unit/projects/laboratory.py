"""Service requests, executions and users for the tests of projects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.domain.reading import read_execution
from pv_testing.domain.records import Execution, Module, ServiceRequest

# The example request's protocols with the hours that the catalogue gives them.
HOURS = {
    "PVTP-001": 2,
    "PVTP-002": 6,
    "PVTP-003": 3,
    "PVTP-010": 1,
    "PVTP-011": 3,
    "PVTP-018": 840,
    "PVTP-019": 360,
    "PVTP-020": 1000,
    "PVTP-030": 3,
    "PVTP-038": 192,
    "PVTP-044": 1,
    "PVTP-045": 0.5,
}
SERIALS = tuple(f"AST2025M{400_000 + place}" for place in range(1, 13))
STARTED = datetime(2025, 11, 12, 22, 30, tzinfo=timezone.utc)


def request(protocols: Iterable[str] = HOURS, serials: Iterable[str] = SERIALS, **other: Any) -> ServiceRequest:
    """Return a service request."""
    modules = tuple(Module(serial) for serial in serials)
    known: dict[str, Any] = {
        "id": 1,
        "sr_number": "SR-2025-0123",
        "status": "TESTING_IN_PROGRESS",
        "customer": {"name": "Solar Corporation"},
        "modules": modules,
        "quantity": len(modules),
        "protocols": tuple(protocols),
        "assigned": True,
        "project_id": "PROJ-2025-001",
        "manager": {"id": 5, "email": "pm@lab.example"},
        "created_at": "2025-11-01T23:30:00Z",
        "delivery_date": "2025-12-15",
    }
    return ServiceRequest(**{**known, **other})


def execution(
    protocol: str = "PVTP-018", serial: str = SERIALS[0], hours: float | None = None, **other: Any
) -> Execution:
    """Return a completed execution that took as long as its protocol does."""
    ended = STARTED + timedelta(hours=HOURS.get(protocol, 1) if hours is None else hours)
    known: dict[str, Any] = {
        "execution_id": f"{protocol[5:]}{serial[-2:]}",
        "protocol_id": protocol,
        "module_id": serial,
        "status": "COMPLETE",
        "qc_status": "PASS",
        "started_at": STARTED.isoformat(),
        "completed_at": ended.isoformat(),
        "operator_id": 42,
        "equipment": {"chamber": "TC-001"},
    }
    return read_execution({**known, **other})


def everything() -> list[Execution]:
    """Return every execution of the lab of twelve modules and twelve protocols."""
    return [execution(protocol, serial) for serial in SERIALS for protocol in HOURS]
