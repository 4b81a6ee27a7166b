"""The three steps of projects, run as the operators run them, and what the systems hold then."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import sandbox
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, PMClient
from pv_testing.ledger import Ledger
from pv_testing.projects import ProjectRules
from pv_testing.projects.task_updates import update_tasks
from pv_testing.projects.tasks import HOURS_SWEEP, STATUS_SWEEP, create_tasks
from pv_testing.projects.time_entries import log_hours
from pv_testing.workflow.sweep_backlog import SweepBacklog

RULES = ProjectRules.of(
    {"operator_hours": {"protocols": {"PVTP-018": {"cap": 6}, "PVTP-020": {"ratio": 0.005, "cap": 100}}}}
)
EQUIPMENT_HOURS = 2411.5
LISTINGS = {"/api/tasks/search", "/api/time-entries/search", "/api/resource-usage/search"}


class Projects:
    """The three steps, run as the operators run them."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger, contract: Path) -> None:
        self.lab = lab
        self.ledger = ledger
        self.rules = RULES
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.pm = PMClient(lab.url("pm"), token=known.pm_token, contract=str(contract), ledger=ledger, owner="test")

    def step(self, workflow, *ids, **options):
        wanted = ids or [request["id"] for request in self.framework.list_service_requests()]
        return run(workflow(self.framework, self.pm, wanted, rules=self.rules, **options))

    def create(self, *ids, **options):
        return self.step(create_tasks, *ids, **options)

    def update(self, *ids, **options):
        return self.step(update_tasks, *ids, **options)

    def hours(self, *ids, **options):
        return self.step(log_hours, *ids, **options)

    def all(self, *ids):
        reports = [report for step in (self.create, self.update, self.hours) for report in step(*ids)]
        for report in reports:
            report.raise_for_waiting()
        return reports

    def kept(self, table: str) -> dict[str, dict]:
        """What the PM's own database holds, by business key; a double would be an error."""
        rows = self.lab.rows("pm", f"SELECT * FROM {table} ORDER BY number")
        assert [key for key, copies in Counter(row["external_id"] for row in rows).items() if copies > 1] == []
        return {row["external_id"]: {"status": row["status"], **json.loads(row["body"])} for row in rows}

    def task(self, key: str) -> dict:
        return self.kept("tasks")[key]

    def writes(self) -> list[dict]:
        return [r for r in self.lab.requests("pm") if r["method"] != "GET" and r["path"] not in LISTINGS]

    def close(self) -> None:
        self.framework.close()
        self.pm.close()


def counts(reports):
    return {name for report in reports for name, number in report.counts().items() if number}


def executions(projects):
    return projects.lab.framework_rows("SELECT * FROM executions ORDER BY 1")


def remembered(projects, *names):
    wanted = names or (STATUS_SWEEP, HOURS_SWEEP)
    return [list(SweepBacklog(projects.ledger, name).take({}, keep=False).values()) for name in wanted]


def in_framework(projects, sql):
    with closing(sqlite3.connect(projects.lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql)
