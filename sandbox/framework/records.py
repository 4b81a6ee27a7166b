"""The framework's records: service requests, executions, reports, users and webhooks in its own SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson

from sandbox import catalogue
from sandbox.framework.equipment import described
from sandbox.framework.models import SR_STATUSES
from sandbox.problems import HttpProblem, not_found
from sandbox.store import Database, placeholders
from sandbox.times import now, stamp

SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
BUSINESS_KEYS: dict[str, tuple[str, ...]] = {
    "service_requests": ("sr_number",),
    "executions": ("execution_id",),
    "status_changes": ("sr_id", "status"),
    "reports": ("report_id",),
    "webhooks": ("url",),
    "integrations": ("id",),
    "audit_events": ("id",),
}
MANAGER = {"id": 5, "name": "Priya Menon", "email": "priya.menon@lab.example"}
PLANNED = "PLANNED"
NAIVE = 5
EXECUTION_COLUMNS = (
    "execution_id, protocol_id, sr_id, module_id, operator_id, equipment, status, progress, qc_status, hours,"
    " started_at, completed_at, updated_at, results"
)


def load(row: sqlite3.Row, name: str) -> Any:
    """Return a JSON column."""
    return orjson.loads(row[name])


def request_view(row: sqlite3.Row) -> dict[str, Any]:
    """Return a service request as listings show it."""
    return {
        "id": row["id"],
        "sr_number": row["sr_number"],
        "status": row["status"],
        "customer": load(row, "customer"),
        "module": load(row, "module"),
        "testing": load(row, "testing"),
        "metadata": load(row, "metadata"),
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "estimated_completion": row["estimated_completion"],
        "created_by": row["created_by"],
        "assigned_pm": MANAGER,
    }


def execution_view(row: sqlite3.Row) -> dict[str, Any]:
    """Return an execution as listings show it: without its measurements."""
    equipment = load(row, "equipment")
    return {
        "execution_id": row["execution_id"],
        "protocol_id": row["protocol_id"],
        "sr_id": row["sr_id"],
        "sr_number": row["sr_number"],
        "module_id": row["module_id"],
        "operator_id": row["operator_id"],
        "equipment": described(equipment, row["completed_at"]) if row["status"] == "COMPLETE" else equipment,
        "status": row["status"],
        "progress": row["progress"],
        "qc_status": row["qc_status"] if row["status"] == "COMPLETE" else None,
        "started_at": row["started_at"],
        "completed_at": row["completed_at"],
        "updated_at": row["updated_at"],
    }


def event_view(row: sqlite3.Row) -> dict[str, Any]:
    """Return an audit event as the listing shows it; empty fields are left out."""
    fields = {name: value for name, value in dict(row).items() if name not in {"username", "user_id"}}
    known = {name: value for name, value in fields.items() if value is not None}
    return {**known, "user": {"id": row["user_id"], "username": row["username"]}}


class FrameworkRecords:
    """The framework's records.

    Args:
        store: its database.
    """

    def __init__(self, store: Database) -> None:
        self.store = store

    def service_request(self, identity: int) -> sqlite3.Row:
        """Return a service request.

        Raises:
            HttpProblem: it doesn't exist, or exists no longer.
        """
        row = self.store.row("SELECT * FROM service_requests WHERE id = ? AND NOT gone", (identity,))
        if row is None:
            raise not_found("Service request", identity)
        return row

    def add_service_request(self, values: Mapping[str, Any]) -> int:
        """Insert a service request from its columns, JSON ones as objects, and return its id."""
        encoded = {
            name: orjson.dumps(each).decode() if isinstance(each, dict) else each for name, each in values.items()
        }
        sql = f"INSERT INTO service_requests ({','.join(encoded)}) VALUES ({placeholders(len(encoded))})"  # noqa: S608
        with self.store.transaction():
            self.store.execute(sql, list(encoded.values()))
            return int(self.store.value("SELECT last_insert_rowid()"))

    def create_service_request(self, wanted: Mapping[str, Any], creator: str) -> sqlite3.Row:
        """Create a service request with the next number of this year."""
        at = datetime.now(timezone.utc)
        identity = int(self.store.value("SELECT coalesce(max(id), 0) + 1 FROM service_requests"))
        hours = sum(catalogue.protocols()[each].duration_hours for each in wanted["testing"]["protocols"])
        self.add_service_request(
            {
                "id": identity,
                "sr_number": f"SR-{at.year}-{identity:04d}",
                "status": SR_STATUSES[0],
                **wanted,
                "estimated_completion": stamp(at + timedelta(hours=hours)),
                "created_by": creator,
                "created_at": stamp(at),
                "updated_at": stamp(at),
            }
        )
        return self.service_request(identity)

    def move(self, identity: int, status: str, principal: str) -> None:
        """Move a service request forward.

        Raises:
            HttpProblem: the step would be backwards or none.
        """
        before = self.service_request(identity)["status"]
        if before not in SR_STATUSES or SR_STATUSES.index(status) <= SR_STATUSES.index(before):
            message = f"Service request {identity} can't go from {before} to {status}"
            raise HttpProblem(409, "INVALID_TRANSITION", message)
        at = now()
        self.store.execute(
            "UPDATE service_requests SET status = ?, updated_at = ? WHERE id = ?", (status, at, identity)
        )
        sql = "INSERT INTO status_changes (sr_id, status, principal, at) VALUES (?,?,?,?)"
        self.store.execute(sql, (identity, status, principal, at))
        self.note(principal, "data_update", "service_request", identity, before, status)

    def reach(self, identity: int, status: str, principal: str) -> None:
        """Move a service request forward to a status unless it is there or beyond."""
        before = self.service_request(identity)["status"]
        if before in SR_STATUSES and SR_STATUSES.index(before) < SR_STATUSES.index(status):
            self.move(identity, status, principal)

    def note(
        self, username: str, action: str, resource_type: str, resource_id: int, old: str | None, new: str | None
    ) -> None:
        """Add an audit event, as real ones are: some without a session, now and then with a time without a zone."""
        identity = int(self.store.value("SELECT coalesce(max(id), 0) + 1 FROM audit_events"))
        user = self.user_id(username)
        address = f"192.0.2.{user}" if user else None
        session = f"S-{user:04d}" if user and identity % 3 else None
        at = now() if identity % NAIVE else now().removesuffix("Z")
        values = (identity, username, action, resource_type, str(resource_id), old, new, address, session, at)
        self.store.execute(f"INSERT INTO audit_events VALUES ({placeholders(len(values))})", values)  # noqa: S608

    def protocol_states(self, row: sqlite3.Row) -> list[dict[str, Any]]:
        """Return a request's assigned protocols and how far each has come; none before they are assigned."""
        if row["status"] == SR_STATUSES[0] or row["status"] == SR_STATUSES[1]:
            return []
        sql = (
            "SELECT protocol_id, count(*) AS every, sum(status = 'COMPLETE') AS complete,"
            " sum(status != 'PLANNED') AS started, avg(progress) AS progress, max(completed_at) AS completed_at"
            " FROM executions WHERE sr_id = ? GROUP BY protocol_id"
        )
        states = {each["protocol_id"]: each for each in self.store.rows(sql, (row["id"],))}
        withdrawn = self.store.rows("SELECT protocol_id, at FROM withdrawals WHERE sr_id = ?", (row["id"],))
        gone = {each["protocol_id"]: {"status": "WITHDRAWN", "withdrawn_at": each["at"]} for each in withdrawn}
        return [
            {**_protocol_state(identity, states.get(identity)), **gone.get(identity, {})}
            for identity in load(row, "testing")["protocols"]
        ]

    def withdraw(self, sr_id: int, protocol_id: str) -> None:
        """Withdraw a protocol of a request.

        Raises:
            HttpProblem: the request doesn't exist or has no such protocol.
        """
        if protocol_id not in load(self.service_request(sr_id), "testing")["protocols"]:
            raise not_found("Protocol of the service request", protocol_id)
        at = now()
        with self.store.transaction():
            self.store.execute("INSERT OR IGNORE INTO withdrawals VALUES (?,?,?)", (sr_id, protocol_id, at))
            self.store.execute("UPDATE service_requests SET updated_at = ? WHERE id = ?", (at, sr_id))

    def execution(self, identity: int) -> sqlite3.Row:
        """Return an execution that has begun.

        Raises:
            HttpProblem: it doesn't exist.
        """
        sql = (
            "SELECT executions.*, sr_number FROM executions JOIN service_requests ON id = sr_id"
            " WHERE execution_id = ? AND executions.status != 'PLANNED' AND NOT gone"
        )
        row = self.store.row(sql, (identity,))
        if row is None:
            raise not_found("Execution", identity)
        return row

    def user_id(self, username: str) -> int | None:
        """Return a user's id."""
        identity: int | None = self.store.value("SELECT id FROM users WHERE username = ?", (username,))
        return identity


def _protocol_state(identity: str, state: sqlite3.Row | None) -> dict[str, Any]:
    if state is None or not state["started"]:
        return {"protocol_id": identity, "status": "PENDING", "progress": 0.0}
    if state["complete"] == state["every"]:
        return {
            "protocol_id": identity,
            "status": "COMPLETE",
            "completion_date": state["completed_at"],
            "progress": 100.0,
        }
    return {"protocol_id": identity, "status": "IN_PROGRESS", "progress": round(state["progress"], 1)}
