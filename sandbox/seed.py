"""The laboratory's first day: service requests with modules, protocols and the executions they will have."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

from sandbox import catalogue, messy, physics
from sandbox.framework.records import SCHEMA, FrameworkRecords
from sandbox.framework.work import ExecutionPlan, plan
from sandbox.store import Database
from sandbox.system import full_schema
from sandbox.times import now, stamp

EPOCH = datetime(2025, 9, 1, 8, 0, tzinfo=timezone.utc)
DONE = datetime(2025, 11, 13, 6, 0, tzinfo=timezone.utc)
CUSTOMERS = ("Solar Power Industries", "Helios Module Works", "Fjord Energy", "Sahara Photovoltaics")


@dataclass(frozen=True)
class SeedPlan:
    """A laboratory by numbers.

    Attributes:
        requests: service requests.
        modules: modules of each.
        protocols: protocols of each; those of the framework's example request first.
        failures: the share of executions that fail.
        weak: a protocol that more than half of the modules fail besides, as after a change in their production.
        seed: of all random numbers.
        state: ``new``: nothing has happened yet, the laboratory's work is planned; ``complete``: all tests are done.
        messy: whether requests with bad data are added.
        first: number of the first request, where the laboratory has none of that number or a higher one; its
            executions have the numbers that they have after as many requests of this size.
    """

    requests: int = 1
    modules: int = 12
    protocols: int = 12
    failures: float = 0.07
    weak: str = ""
    seed: int = 1
    state: Literal["new", "complete"] = "new"
    messy: bool = False
    first: int = 1


def seed(database: Path, wanted: SeedPlan) -> dict[str, int]:
    """Add a laboratory to the framework's database and return the number of rows added.

    Args:
        database: the framework's SQLite file; it is made when missing.
        wanted: the laboratory by numbers.
    """
    store = Database(database, full_schema(SCHEMA))
    try:
        records = FrameworkRecords(store)
        counts = {"service_requests": 0, "modules": 0, "executions": 0}
        last = int(records.store.value("SELECT coalesce(max(id), 0) FROM service_requests"))
        for number in range(wanted.requests):
            status = "TESTING_COMPLETE" if wanted.state == "complete" else "PENDING_INSPECTION"
            sr_id = records.add_service_request({"status": status, **request(records, wanted, number)})
            counts["service_requests"] += 1
            counts["modules"] += wanted.modules
            counts["executions"] += _plan(records, sr_id, wanted)
        if wanted.messy:
            counts["messy_requests"] = len(messy.add(records))
        if last:  # A request that comes into an open laboratory has changed now, whenever it was ordered.
            records.store.execute("UPDATE service_requests SET updated_at = ? WHERE id > ?", (now(), last))
        return counts
    finally:
        store.close()


def _plan(records: FrameworkRecords, sr_id: int, wanted: SeedPlan) -> int:
    completed_from = DONE if wanted.state == "complete" else None
    after = 5000 + (wanted.first - 1) * wanted.modules * wanted.protocols
    return plan(records, sr_id, ExecutionPlan(wanted.failures, wanted.seed, completed_from, wanted.weak, after))


def request(records: FrameworkRecords, wanted: SeedPlan, number: int) -> dict[str, Any]:
    """Return the columns of the next request, like the framework's example file.

    Args:
        records: the framework's records, which know the next id.
        wanted: the laboratory by numbers.
        number: the how-many-th request of this seed.
    """
    identity = max(wanted.first, int(records.store.value("SELECT coalesce(max(id), 0) + 1 FROM service_requests")))
    created = EPOCH + timedelta(minutes=identity)
    customer = CUSTOMERS[number % len(CUSTOMERS)]
    serials = [
        f"AST2025M{400_000 + (identity - 1) * wanted.modules + place:06d}" for place in range(1, wanted.modules + 1)
    ]
    chosen = [protocol.protocol_id for protocol in catalogue.choose(wanted.protocols)]
    return {
        "id": identity,
        "sr_number": f"SR-2025-{identity:04d}",
        "customer": _customer(customer),
        "module": _module(serials),
        "testing": {
            "standards": ["IEC 61215", "IEC 61730"],
            "protocols": chosen,
            "priority": "normal",
            "requested_delivery_date": "2025-12-15",
        },
        "metadata": {"project_code": f"PROJ-2025-{identity:03d}", "purchase_order": f"PO-SPI-2025-{77 + identity:04d}"},
        "estimated_completion": stamp(created + timedelta(hours=2411.5)),
        "created_by": "customer-portal",
        "created_at": stamp(created),
        "updated_at": stamp(created),
    }


def _customer(name: str) -> dict[str, str]:
    domain = name.split(maxsplit=1)[0].lower()
    return {
        "name": name,
        "contact_person": "Maria Keller",
        "email": f"quality@{domain}.example",
        "phone": "+49 30 5550100",
        "address": "Sonnenallee 1, 12045 Berlin, Germany",
    }


def _module(serials: list[str]) -> dict[str, Any]:
    return {
        "manufacturer": "AstraSolar",
        "model": "AST-400-M",
        "type": "Monocrystalline PERC",
        "technology": "Mono-Si PERC",
        "power_rating": physics.NAMEPLATE,
        "voltage_voc": 49.52,
        "current_isc": 10.24,
        "dimensions": {"length": 1980, "width": 1000, "thickness": 35, "unit": "mm"},
        "weight": 22.5,
        "quantity": len(serials),
        "serial_numbers": serials,
    }


def is_empty(database: Path) -> bool:
    """Say whether a framework's database holds no request yet."""
    if not database.exists():
        return True
    with sqlite3.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'service_requests'").fetchone()[0]
        return not tables or not connection.execute("SELECT count(*) FROM service_requests").fetchone()[0]
