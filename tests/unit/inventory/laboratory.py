"""Service requests, executions and rules of inventory as the tests of this folder need them."""

from __future__ import annotations

from typing import Any

from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.domain.records import Execution, ServiceRequest
from pv_testing.inventory import InventoryPolicy

STATES = {"received": "INSPECTION_COMPLETE", "stored": "TESTING_COMPLETE", "leaving": "CLOSED"}


def rules(**fields: Any) -> InventoryPolicy:
    """Return rules of inventory with the usual states."""
    return InventoryPolicy.of({"states": STATES, **fields})


def order(status: str = "CLOSED", serials: Any = ("SN001", "SN002"), **fields: Any) -> ServiceRequest:
    """Return a service request."""
    return read_service_request(
        {
            "id": 7,
            "sr_number": "SR-2025-0123",
            "status": status,
            "customer": {"name": "Solar Corporation"},
            "module": {"model": "AST-400-M", "serial_numbers": list(serials)},
            "created_at": "2025-09-01T08:00:00Z",
            "updated_at": "2025-11-20T10:00:00Z",
            **fields,
        }
    )


def run(number: int, protocol: str = "PVTP-001", serial: str = "SN001", **fields: Any) -> Execution:
    """Return an execution that is complete and passed unless it says otherwise."""
    times = {"started_at": "2025-11-12T13:00:00Z", "completed_at": "2025-11-12T14:30:00Z"}
    usual = {"status": "COMPLETE", "qc_status": "PASS", **times}
    return read_execution({"execution_id": number, "protocol_id": protocol, "module_id": serial, **usual, **fields})
