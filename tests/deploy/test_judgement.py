"""The judgement of ``make cluster`` finds each record that is missing, and each that is there twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sandbox
from cluster import certificates
from cluster.expected import UNKNOWN
from cluster.judgement import tallies_of
from cluster.keys import KEPT, differences
from pv_testing.auditing.trail import send_framework_events, send_ledger_events
from pv_testing.billing.invoicing import create_invoices
from pv_testing.core.sync import run
from pv_testing.integrations import ERPClient, FrameworkClient, LIMSClient, PMClient, QMSClient
from pv_testing.inventory.stock import draw_consumables, move_stock
from pv_testing.ledger import Ledger
from pv_testing.projects.task_updates import update_tasks
from pv_testing.projects.tasks import create_tasks
from pv_testing.projects.time_entries import log_hours
from pv_testing.quality.capas import find_findings, raise_capas
from pv_testing.quality.decisions import ApprovalAnswer, Decisions
from pv_testing.quality.nonconformances import report_non_conformances
from pv_testing.samples.certificates import FOLDER, file_certificates, request_certificates
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import push_statuses
from pv_testing.transports.files.store import open_store
from sandbox import Settings
from sandbox.closing import Tally
from sandbox.judge import Judge
from sandbox.seed import CUSTOMERS

PLAN = sandbox.SeedPlan(state="complete", modules=12, protocols=6, failures=0.0, weak="PVTP-018")
DAY = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)
TABLES = {
    "samples": ("lims", "samples"),
    "result sets": ("lims", "results"),
    "non-conformances": ("qms", "nc_reports"),
    "CAPAs": ("qms", "capas"),
    "files of CAPAs": ("qms", "attachments"),
    "audit events": ("qms", "audit_events"),
    "tasks": ("pm", "tasks"),
    "operators' hours": ("pm", "time_entries"),
    "equipment hours": ("pm", "resource_usage"),
    "invoices": ("erp", "invoices"),
    "stock movements": ("erp", "stock_movements"),
    "consumables drawn": ("erp", "consumables"),
    "certificates": ("lims", "certificates"),
}
"""Where the records are; a credit note is of no use here, as none may be there, and a line is within its invoice."""
LINES = "json_extract(body, '$.line_items')"


class Outcome(NamedTuple):
    """What a laboratory has come to: the databases of its systems, the ledger, the files."""

    data: Path
    ledger: Path
    files: Path

    def copy(self, folder: Path) -> Outcome:
        """Return a copy that may be spoilt."""
        shutil.copytree(self.data.parent, folder / "copy")
        return Outcome(*(folder / "copy" / path.name for path in self))

    def spoil(self, system: str, sql: str) -> None:
        with closing(sqlite3.connect(Settings(self.data).database(system))) as connection:
            assert connection.execute(sql).rowcount > 0
            connection.commit()

    def tallies(self) -> list[Tally]:
        judge = Judge(Settings(self.data))
        with Ledger(f"sqlite:///{self.ledger}") as ledger:
            return [*tallies_of(judge, ledger), *certificates.tallies(judge, self.files)]

    def complaints(self) -> list[str]:
        counted = [each.complaint for each in self.tallies() if each.complaint]
        with Ledger(f"sqlite:///{self.ledger}") as ledger:
            return [*counted, *differences(Judge(Settings(self.data)), ledger)]


class Office:
    """Every step, run as the operators run them."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger) -> None:
        known = lab.credentials
        common: dict[str, Any] = {"ledger": ledger, "owner": "test"}
        self.lab, self.ledger = lab, ledger
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        self.lims = LIMSClient(lab.lims_url, api_key=known.lims_api_key, **common)
        self.qms = QMSClient(lab.url("qms"), username=known.qms_username, password=known.qms_password, **common)
        self.pm = PMClient(lab.url("pm"), token=known.pm_token, **common)
        self.erp = ERPClient(
            lab.url("erp"), client_id=known.erp_client_id, client_secret=known.erp_client_secret, **common
        )

    def carry(self, files: Path) -> None:
        """Carry everything to the posted invoice and the copied audit trail."""
        self._step(create_samples, self.lims)
        self.lab.receive()
        self._step(upload_results, self.lims)
        self._step(report_non_conformances, self.qms)
        for project_step in (create_tasks, update_tasks, log_hours):
            self._step(project_step, self.pm)
        self._raise_capas()
        for request in self.lab.service_requests():
            self.lab.advance(request["id"], "REPORTS_APPROVED")
        self._step(push_statuses, self.lims)
        for erp_step in (create_invoices, move_stock, draw_consumables):
            self._step(erp_step, self.erp)
        numbers = [request["sr_number"] for request in self.lab.service_requests()]
        asked = run(request_certificates(self.lims, numbers))
        run(file_certificates(self.lims, asked, open_store(str(files))))
        run(send_ledger_events(self.qms)).raise_for_waiting()
        run(send_framework_events(self.framework, self.qms)).raise_for_waiting()

    def _step(self, workflow: Callable[..., Any], client: Any) -> None:
        ids = [request["id"] for request in self.lab.service_requests()]
        reports = run(workflow(self.framework, client, ids))
        for report in reports if isinstance(reports, list) else [reports]:
            report.raise_for_waiting()

    def _raise_capas(self) -> None:
        for finding in run(find_findings(self.framework, self.qms, at=DAY)).questions:
            Decisions(self.ledger).answer(finding.digest, ApprovalAnswer(True, "Ada Kern", DAY.isoformat()))
        for report in run(raise_capas(self.qms)):
            report.raise_for_waiting()

    def close(self) -> None:
        for client in (self.framework, self.lims, self.qms, self.pm, self.erp):
            client.close()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("laboratory")
    outcome = Outcome(folder / "lab", folder / "ledger.sqlite", folder / "files")
    outcome.files.mkdir()
    with sandbox.serve(outcome.data, seed_plan=PLAN) as lab, Ledger(f"sqlite:///{outcome.ledger}") as ledger:
        for customer in CUSTOMERS:
            lab.know_customer(customer)
        with closing(Office(lab, ledger)) as office:
            office.carry(outcome.files)
    return outcome


def test_all_is_well_and_every_kind_is_there_and_counted(outcome: Outcome) -> None:
    tallies = outcome.tallies()
    assert outcome.complaints() == []
    assert [each.records for each in tallies if each.wanted is None] == []
    assert {each.records for each in tallies if not each.there} == {"credit notes"}
    assert {each.records for each in tallies} == {*TABLES, "invoice lines", "credit notes"}


@pytest.mark.parametrize("records", TABLES)
def test_a_missing_record_is_found(outcome: Outcome, records: str, tmp_path: Path) -> None:
    system, table = TABLES[records]
    spoilt = outcome.copy(tmp_path)
    spoilt.spoil(system, f"DELETE FROM {table} WHERE number = (SELECT max(number) FROM {table})")
    (there,) = (each.there for each in outcome.tallies() if (each.system, each.records) == (system, records))
    assert f"{system}: {records} should be {there}, but are {there - 1}" in spoilt.complaints()


@pytest.mark.parametrize("records", TABLES)
def test_a_doubled_record_is_found(outcome: Outcome, records: str, tmp_path: Path) -> None:
    system, table = TABLES[records]
    spoilt = outcome.copy(tmp_path)
    columns = ", ".join(_columns(spoilt, system, table))
    spoilt.spoil(system, f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1")
    assert f"{system}: 1 {records} are there twice" in spoilt.complaints()


@pytest.mark.parametrize("records", KEPT)
def test_a_record_in_the_place_of_a_missing_one_is_found(outcome: Outcome, records: str, tmp_path: Path) -> None:
    system, table = TABLES[records]
    spoilt = outcome.copy(tmp_path)
    newest = f"number = (SELECT max(number) FROM {table})"
    spoilt.spoil(system, f"UPDATE {table} SET external_id = 'X' || external_id WHERE {newest}")
    stranger, missing = spoilt.complaints()
    assert stranger.startswith(f"{system}: 1 {records} are unknown to the ledger: ")
    assert missing.startswith(f"{system}: 1 {records} are not there, though in the ledger: ")


def test_a_missing_line_of_an_invoice_is_found_and_a_doubled_one(outcome: Outcome, tmp_path: Path) -> None:
    missing, doubled = outcome.copy(tmp_path / "missing"), outcome.copy(tmp_path / "doubled")
    missing.spoil("erp", "UPDATE invoices SET body = json_remove(body, '$.line_items[0]')")
    doubled.spoil("erp", f"UPDATE invoices SET body = json_insert(body, '$.line_items[#]', {LINES} -> 0)")
    assert missing.complaints() == ["erp: invoice lines should be 6, but are 5"]
    assert doubled.complaints() == ["erp: 1 invoice lines are there twice"]


def test_a_credit_note_without_cause_is_found(outcome: Outcome, tmp_path: Path) -> None:
    spoilt = outcome.copy(tmp_path)
    spoilt.spoil("erp", "INSERT INTO credit_notes (external_id, status, body, created_at) VALUES ('X', '', '{}', '')")
    assert spoilt.complaints() == ["erp: credit notes should be 0, but are 1"]


def test_where_a_test_is_withdrawn_the_number_of_credit_notes_is_said_not_to_be_known(
    outcome: Outcome, tmp_path: Path
) -> None:
    spoilt = outcome.copy(tmp_path)
    spoilt.spoil("framework", "INSERT INTO withdrawals SELECT id, 'PVTP-999', '' FROM service_requests")
    assert {each.records for each in spoilt.tallies() if each.wanted is None} == set(UNKNOWN)


def test_a_certificate_that_is_not_filed_whole_is_found(outcome: Outcome, tmp_path: Path) -> None:
    spoilt = outcome.copy(tmp_path)
    first, *_ = sorted((spoilt.files / FOLDER).iterdir())
    first.write_bytes(b"")
    assert spoilt.complaints() == ["files: certificates should be 12, but are 11"]


def _columns(spoilt: Outcome, system: str, table: str) -> list[str]:
    rows = Judge(Settings(spoilt.data)).rows(system, "SELECT name FROM pragma_table_info(?)", table)
    return [row["name"] for row in rows if row["name"] != "number"]
