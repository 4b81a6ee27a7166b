"""The two steps of the CAPA workflow, run as the operators run them, and what the systems hold then."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timezone

import sandbox
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, QMSClient
from pv_testing.ledger import Ledger
from pv_testing.quality.capas import find_findings, raise_capas
from pv_testing.quality.decisions import ApprovalAnswer, Decisions

DAY = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)
WEAK = "PVTP-018"


class Quality:
    """A laboratory whose tests are done, and the two steps of the CAPA workflow."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger) -> None:
        self.lab, self.ledger, self.decisions = lab, ledger, Decisions(ledger)
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.qms = QMSClient(
            lab.url("qms"), username=known.qms_username, password=known.qms_password, ledger=ledger, owner="test"
        )

    def find(self, at=DAY, **options):
        return run(find_findings(self.framework, self.qms, at=at, **options))

    def answer(self, finding, approved=True, by="Ada Kern"):
        self.decisions.answer(finding.digest, ApprovalAnswer(approved, by, "2025-11-14T07:00:00+00:00"), owner="test")

    def raise_approved(self, **options):
        return run(raise_capas(self.qms, **options))

    def approve_all(self, at=DAY):
        for finding in self.find(at).questions:
            self.answer(finding)
        return self.raise_approved()

    def capas(self):
        rows = self.lab.rows("qms", "SELECT * FROM capas ORDER BY number")
        return [{**row, "id": f"CAPA-{row['number']:06d}", **json.loads(row["body"])} for row in rows]

    def files(self):
        return [json.loads(row["body"]) for row in self.lab.rows("qms", "SELECT * FROM attachments ORDER BY number")]

    def sql(self, statement, *values):
        with closing(sqlite3.connect(self.lab.settings.database("framework"))) as connection:
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute(statement, values)
            connection.commit()

    def add_failure(self, at, serial="LATE-1"):
        """Let another module fail the weak protocol."""
        columns = [row["name"] for row in self.lab.framework_rows("SELECT name FROM pragma_table_info('executions')")]
        like = [name for name in columns if name not in {"execution_id", "module_id", "completed_at"}]
        names = ", ".join(like)
        self.sql(
            f"INSERT INTO executions (execution_id, module_id, completed_at, {names})"
            f" SELECT (SELECT max(execution_id) + 1 FROM executions), ?, ?, {names} FROM executions"
            " WHERE protocol_id = ? AND qc_status = 'FAIL' LIMIT 1",
            serial,
            at,
            WEAK,
        )

    def close(self) -> None:
        self.framework.close()
        self.qms.close()
