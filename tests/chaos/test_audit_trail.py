"""Kills the audit trail's sync, loses answers and storms the QMS: the trail there has no gap, no double, one order."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import sandbox
from pv_testing.auditing.comparison import TrailComparison, compare_trails
from pv_testing.core.sync import run
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Ledger
from tests.chaos.siege import Siege
from tests.integration.auditing import contract, in_batches

EVENTS = 500
ROUTES = "POST /api/audit-events*"
FAULTS = (
    {"route": ROUTES, "kind": "drop_after", "rate": 0.15, "seed": 1},
    {"route": ROUTES, "kind": "rate_limit", "rate": 0.02, "retry_after": 0.3, "seed": 2},
    {"route": ROUTES, "kind": "error", "status": 500, "rate": 0.02, "burst": 2, "seed": 3},
    {"route": ROUTES, "kind": "drop_before", "rate": 0.04, "seed": 4},
)


class AuditSiege(Siege):
    """Attempts to send a ledger's trail, each of which first adds to it."""

    def __init__(self, lab: sandbox.Lab, ledger: str, directory: Path) -> None:
        super().__init__(directory, 150.0)
        self.lab = lab
        self.ledger = ledger
        self.gain = 7
        self.contract = contract(directory, "qms_custom", in_batches(20))

    def command(self) -> list[str]:
        known = self.lab.credentials
        return [
            *("tests.chaos.audit_worker", "--qms", self.lab.url("qms"), "--contract", self.contract),
            *("--username", known.qms_username, "--gain", str(self.gain)),
            *("--ledger", self.ledger, "--owner", f"pv_audit_sync/run/ledger_events try {self.attempts}"),
        ]

    def secrets(self) -> dict[str, str]:
        return {"PV_STORM_QMS_PASSWORD": self.lab.credentials.qms_password}

    def arrived(self) -> int:
        return int(self.lab.rows("qms", "SELECT count(*) AS n FROM audit_events")[0]["n"])

    def positions(self) -> list[int]:
        """Return the events' places in the ledger, in the order of the QMS."""
        rows = self.lab.rows("qms", "SELECT body FROM audit_events ORDER BY number")
        return [json.loads(row["body"])["position"] for row in rows]

    def swept(self) -> int:
        """Return how many events were added to the ledger; an attempt may have been killed before it had added all."""
        with Ledger(self.ledger) as ledger:
            return sum(event.action == "sweep" for event in ledger.events())

    def compare(self) -> TrailComparison:
        known = self.lab.credentials
        with (
            Ledger(self.ledger) as ledger,
            QMSClient(
                self.lab.url("qms"), username=known.qms_username, password=known.qms_password, ledger=ledger
            ) as qms,
        ):
            return run(compare_trails(qms))


def test_the_trail_in_the_qms_has_no_gap_no_double_and_one_order_on_sqlite(tmp_path: Path) -> None:
    _besiege(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path, kills=5)


@pytest.mark.postgres
def test_the_trail_in_the_qms_has_no_gap_no_double_and_one_order_on_postgresql(tmp_path: Path, schema: str) -> None:
    _besiege(schema, tmp_path, kills=3)


def _besiege(ledger: str, directory: Path, kills: int) -> None:
    with Ledger(ledger) as opened:
        for number in range(EVENTS):
            opened.record("sweep", owner="lab", detail={"number": number})
    with sandbox.serve(directory / "lab") as lab:
        siege = AuditSiege(lab, ledger, directory)
        lab.faults("qms", *FAULTS)
        siege.kill_at(sorted(random.Random(7).sample(range(1, EVENTS), kills)))
        siege.leave_in_peace()
        lost = sum(rule["hits"] for rule in lab.fault_report("qms") if rule["kind"] == "drop_after")
        lab.faults("qms")
        positions = siege.positions()
        siege.gain = 0
        assert siege.attempt() == 0
        assert siege.positions() == positions, "a last run sent something"
        wanted = siege.swept()
        assert (len(positions), len(set(positions))) == (wanted, wanted)
        assert positions == sorted(positions)
        found = siege.compare()
        assert (found.differences, found.equal, found.to_come) == ([], wanted, 0)
        assert siege.killed == kills
        assert lost > 0
