"""A laboratory on real sockets whose audit trails go to its QMS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sandbox
from pv_testing.auditing import trail as audit_trail
from pv_testing.auditing.comparison import TrailComparison, compare_trails
from pv_testing.config import system_config
from pv_testing.core.records import Result
from pv_testing.core.sync import run
from pv_testing.exchange.report import Report
from pv_testing.integrations import FrameworkClient, QMSClient
from pv_testing.ledger import Claim, Ledger, Settlement
from tests import yaml_text

MAPPINGS = Path(__file__).resolve().parents[2] / "include" / "mappings"


def contract(directory: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """Write a copy of a contract with short deadlines and changed operations; return its path."""
    document = yaml_text.read(MAPPINGS / f"{name}.yaml")
    document["limits"].update(attempt_timeout=1, total_timeout=1.5, horizon=0.2)
    change(document["operations"])
    path = directory / f"{name}.yaml"
    path.write_text(yaml_text.dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return str(path)


def in_batches(size: int) -> Callable[[dict[str, Any]], Any]:
    """Change how many audit events a request carries; 1 sends each by itself."""

    def change(operations: dict[str, Any]) -> None:
        if size == 1:
            del operations["log_audit_event"]["bulk"]
        else:
            operations["log_audit_event"]["bulk"]["size"] = size

    return change


class Auditing:
    """A laboratory whose trails go to its QMS."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger, directory: Path) -> None:
        self.lab = lab
        self.ledger = ledger
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.qms = self.client(contract(directory, "qms_custom", in_batches(10)))

    def client(self, named: str, ledger: Ledger | None = None, **options: Any) -> QMSClient:
        known = self.lab.credentials
        config = system_config(
            "qms",
            base_url=self.lab.url("qms"),
            username=known.qms_username,
            password=known.qms_password,
            contract=named,
            options=options,
        )
        return QMSClient(config=config, ledger=ledger or self.ledger, owner="pv_audit_sync/run-9/ledger_events try 1")

    def work(self, *keys: str) -> None:
        """Let another DAG bring records into effect."""
        owner = "pv_intake/manual__2026-01-05/create_samples[3] try 2"
        claimed = self.ledger.claim("lims", "sample", [Claim(key, f"v-{key}") for key in keys], owner=owner, lease=60)
        self.ledger.settle([Settlement(one, Result.CREATED, f"LIM-{one.key}") for one in claimed], owner=owner)

    def sync(self, **flags: bool) -> Report:
        return run(audit_trail.send_ledger_events(self.qms, **flags))

    def sync_framework(self, **flags: bool) -> Report:
        return run(audit_trail.send_framework_events(self.framework, self.qms, **flags))

    def compare(self) -> TrailComparison:
        return run(compare_trails(self.qms))

    def events(self, source: str = "ledger") -> list[dict[str, Any]]:
        """Return what the QMS's own database has, in its own order."""
        rows = self.lab.rows("qms", "SELECT * FROM audit_events ORDER BY number")
        events = [{**row, **json.loads(row["body"])} for row in rows]
        return [event for event in events if event["source"].startswith(source)]

    def writes(self) -> int:
        """Return how many requests wrote events."""
        routes = {"/api/audit-events", "/api/audit-events/bulk"}
        return sum(r["method"] == "POST" and r["path"] in routes for r in self.lab.requests("qms"))
