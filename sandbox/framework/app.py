"""The framework as an application that a server can run."""

from __future__ import annotations

from sandbox.application import application
from sandbox.framework import api, extras, lab
from sandbox.framework.records import FrameworkRecords
from sandbox.gate import Gate
from sandbox.system import System

_READ = frozenset({"view_reports"})
_AUDIT = frozenset({"read_audit"})
_WORK = _READ | {"execute_protocols"}
_PLAN = _WORK | _AUDIT | {"create_service_requests"}
PERMISSIONS: dict[str, frozenset[str]] = {
    "viewer": _READ | _AUDIT,
    "operator": _WORK,
    "engineer": _PLAN,
    "manager": _PLAN,
    "admin": _PLAN,
}
INTEGRATION_USER = "integration"
VIEWER = "auditor"
USERS = (
    (1, "admin", "admin@lab.example", "Ada Admin", "admin", 1),
    (5, "pmenon", "priya.menon@lab.example", "Priya Menon", "manager", 1),
    (7, VIEWER, "auditor@lab.example", "Anselm Auditor", "viewer", 1),
    (9, INTEGRATION_USER, "integration@lab.example", "Integration Service", "engineer", 1),
    (42, "jdoe", "jane.doe@lab.example", "Jane Doe", "operator", 1),
    (43, "mrossi", "marco.rossi@lab.example", "Marco Rossi", "operator", 1),
    (44, "ktanaka", "keiko.tanaka@lab.example", "Keiko Tanaka", "operator", 1),
    (45, "former", "former@lab.example", "Former Operator", "operator", 0),
)


def build(system: System) -> Gate:
    """Return the framework's application.

    Args:
        system: its store, callers and faults.
    """
    rows = [(*user, "2025-01-01T00:00:00.000Z") for user in USERS]
    system.store.execute_many("INSERT OR IGNORE INTO users VALUES (?,?,?,?,?,?,?)", rows)
    records = FrameworkRecords(system.store)
    routers = (api.router, extras.router, lab.router)
    return Gate(application("PV Testing Protocol Framework", "1.0.0", "/api/v1", system, records, routers), system)
