"""What one service request needs in Redmine: tasks, hours, non-conformances, a CAPA and its files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from pv_testing.core.records import Record

SR = "SR-2025-0123"
PROTOCOLS = tuple(f"PVTP-{number:03}" for number in (1, 2, 3, 10, 11, 18, 19, 20))
MODULES = tuple(f"SN{number:03}" for number in range(1, 7))
FAILED = tuple((PROTOCOLS[5], module) for module in MODULES)
CAPA_SCOPE = "PVTP-012"
"""A protocol that no other test of this Redmine has fail: while its CAPA is open, no other one of it is raised."""
CAPA = f"{CAPA_SCOPE}/21"
FILES = {"pareto.png": b"\x89PNG pareto", "control.png": b"\x89PNG control", "executions.csv": b"execution_id\n1\n"}
OPERATOR_HOURS, EQUIPMENT_HOURS = 1.25, 840
DAY = "2025-11-20"


def execution(protocol: str, module: str) -> str:
    """Return the id of an execution."""
    return f"{protocol[5:]}{module[2:]}"


def executions() -> list[tuple[str, str]]:
    """Return protocol and module of every execution."""
    return [(protocol, module) for protocol in PROTOCOLS for module in MODULES]


def task() -> Record:
    """Return the main task."""
    data = {"sr_number": SR, "title": f"PV testing {SR}", "start_date": "2025-11-01", "due_date": "2025-12-01"}
    return Record(SR, data)


def subtasks(parent: str) -> Iterator[Record]:
    """Give a subtask a protocol."""
    for protocol in PROTOCOLS:
        about = {"sr_number": SR, "protocol_id": protocol, "parent_task_id": parent}
        yield Record(f"{SR}/{protocol}", {**about, "title": f"{SR} {protocol}", "estimated_hours": 840})


def statuses(numbers: dict[str, str], status: str) -> Iterator[Record]:
    """Give a change of status a subtask, each with a note."""
    for key, number in numbers.items():
        notes = {"IN_PROGRESS": "begun", "COMPLETE": "all modules tested"}[status]
        yield Record(key, {"task_key": key, "task_id": number, "status": status, "notes": notes})


def hours(numbers: dict[str, str]) -> Iterator[Record]:
    """Give an operator's hours an execution."""
    for protocol, module in executions():
        about = {"task_id": numbers[f"{SR}/{protocol}"], "date": DAY, "hours": OPERATOR_HOURS, "description": module}
        yield Record(execution(protocol, module), about)


def equipment(numbers: dict[str, str]) -> Iterator[Record]:
    """Give a chamber's hours an execution."""
    for protocol, module in executions():
        about = {"task_id": numbers[f"{SR}/{protocol}"], "date": DAY, "resource_id": "CH-01"}
        yield Record(f"{execution(protocol, module)}/CH-01", {**about, "usage_hours": EQUIPMENT_HOURS})


def reports() -> Iterator[Record]:
    """Give a non-conformance a failed execution."""
    for protocol, module in FAILED:
        key = execution(protocol, module)
        about = {"execution_id": key, "serial_number": module, "protocol_id": protocol, "severity": "MAJOR"}
        yield Record(key, {**about, "title": f"{protocol} failed on {module}", "description": "Pmax fell by 7.1 %"})


def capa(reports: list[str]) -> Record:
    """Return the CAPA of the failures."""
    action = {"description": "Check the ramp", "responsible": "Quality Manager", "target_date": "2026-01-31"}
    about = {
        "capa_key": CAPA,
        "scope": CAPA_SCOPE,
        "title": "Recurring failures",
        "problem_statement": "Six modules failed",
    }
    return Record(CAPA, {**about, "corrective_action": action, "related_ncs": sorted(reports)})


def files(number: str) -> Iterator[Record]:
    """Give the files of the CAPA."""
    for filename, content in FILES.items():
        digest = hashlib.sha256(content).hexdigest()
        about = {"capa_id": number, "filename": filename, "content": base64.b64encode(content).decode()}
        yield Record(f"{CAPA}/{filename}", {**about, "sha256": digest})
