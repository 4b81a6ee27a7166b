"""Shows that an approved finding becomes one CAPA with its evidence, and counts until that CAPA is closed."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from pv_testing.core.errors import ExchangeIncomplete
from pv_testing.core.sync import run
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.earlier_capas import earlier_capas
from pv_testing.quality.evidence import evidence
from tests.integration.capas.steps import DAY, WEAK

FILES = ["control.png", "executions.csv", "pareto.png"]


def test_what_is_approved_is_raised_once_with_its_evidence(laboratory):
    quality = laboratory()
    (finding,) = quality.find().questions
    assert (finding.key, finding.modules, finding.tested) == ("PVTP-018/1", 7, 12)
    assert quality.capas() == []
    quality.answer(finding)
    capas, files = quality.raise_approved()
    assert (capas.counts()["created"], files.counts()["created"]) == (1, 3)
    (capa,) = quality.capas()
    assert (capa["external_id"], capa["approved_by"], capa["protocol_id"]) == (finding.key, "Ada Kern", WEAK)
    assert capa["corrective_action"]["target_date"] == "2025-12-29"
    assert capa["preventive_action"]["target_date"] == "2026-01-28"
    assert "Hypothesis" in capa["root_cause"]
    assert "7 modules failed Thermal Cycling (PVTP-018)" in capa["problem_statement"]
    kept = {file["filename"]: file["sha256"] for file in quality.files()}
    assert kept == {file.name: hashlib.sha256(file.content).hexdigest() for file in evidence(finding)}
    assert sorted(kept) == FILES


def test_a_second_day_finds_nothing_while_the_capa_is_open(laboratory):
    quality = laboratory()
    quality.approve_all()
    found = quality.find(DAY + timedelta(days=1))
    assert found.questions == []
    assert found.analysis.notes == ["PVTP-018: 7 modules failed; its CAPA PVTP-018/1 isn't closed yet"]
    (report,) = quality.raise_approved()
    assert report.total() == 0
    assert len(quality.capas()) == 1


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html"])
def test_lost_and_garbled_answers_make_no_second_capa_and_no_second_file(laboratory, kind):
    quality = laboratory()
    quality.lab.faults("qms", {"route": "POST /api/capas*", "kind": kind, "rate": 0.6, "times": 5, "seed": 4})
    for report in quality.approve_all():
        report.raise_for_waiting()
    assert len(quality.capas()) == 1
    assert sorted(file["filename"] for file in quality.files()) == FILES
    assert quality.decisions.asked() == []


def test_files_that_could_not_be_attached_follow_with_the_next_run(laboratory):
    quality = laboratory()
    quality.lab.faults("qms", {"route": "POST /api/capas/*/attachments", "kind": "error", "status": 422})
    capas, files = quality.approve_all()
    assert (capas.counts()["created"], files.counts()["rejected"]) == (1, 3)
    with pytest.raises(ExchangeIncomplete):
        files.raise_for_waiting()
    quality.lab.faults("qms")
    assert quality.find(DAY + timedelta(days=1)).questions == []
    capas, files = quality.raise_approved(replay=True)
    assert (capas.counts()["unchanged"], files.counts()["created"]) == (1, 3)
    assert quality.decisions.asked() == []
    assert len(quality.capas()) == 1


def test_after_closing_only_newer_failures_count_and_the_number_goes_on(laboratory):
    quality = laboratory()
    quality.approve_all()
    (capa,) = quality.capas()
    quality.lab.close("qms", "capas", capa["id"], "2025-11-15T00:00:00.000Z")
    assert quality.find(DAY + timedelta(days=2)).questions == []
    for number in range(6):
        quality.add_failure("2025-11-16T08:00:00.000Z", f"LATE-{number}")
    (finding,) = quality.find(DAY + timedelta(days=3)).questions
    assert (finding.key, finding.modules) == ("PVTP-018/2", 6)
    assert finding.since == "2025-11-15T00:00:00Z"


def test_a_capa_that_was_deleted_in_the_qms_counts_as_closed_a_day_later(laboratory):
    quality = laboratory()
    quality.approve_all()
    with closing(sqlite3.connect(quality.lab.settings.database("qms"))) as connection:
        connection.execute("DELETE FROM capas")
        connection.commit()
    now = datetime.now(timezone.utc)
    for number in range(6):
        quality.add_failure((now + timedelta(hours=1)).isoformat(), f"LATE-{number}")
    assert quality.find(now + timedelta(hours=2)).questions == []
    (finding,) = quality.find(now + timedelta(hours=30)).questions
    assert finding.key == "PVTP-018/2"


def in_qms(quality, statement, *values):
    with closing(sqlite3.connect(quality.lab.settings.database("qms"))) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.parametrize("timestamp", ["25.11.2026", "0001-01-01T00:00:00Z"])
def test_a_capa_whose_creation_nobody_can_read_was_raised_when_the_ledger_says(laboratory, timestamp):
    quality = laboratory()
    quality.approve_all()
    in_qms(quality, "UPDATE capas SET created_at = ?", timestamp)
    found = quality.find(DAY + timedelta(days=1))
    assert found.questions == []
    instead = "it counts as raised when the ledger says, or today where it doesn't know the CAPA"
    assert found.analysis.notes == [
        f"PVTP-018/1: its created_at in the QMS, '{timestamp}', is no time; {instead}",
        "PVTP-018: 7 modules failed; its CAPA PVTP-018/1 isn't closed yet",
    ]
    in_qms(quality, "UPDATE capas SET status = 'Closed', body = json_set(body, '$.closed_at', ?)", timestamp)
    (capa,) = quality.qms.list("get_capas")
    assert (capa["status"], capa["closed_at"]) == ("Closed", timestamp)
    _, *notes = (closed := quality.find(DAY + timedelta(days=2))).analysis.notes
    assert closed.questions == []
    assert notes == [
        f"PVTP-018/1: its closed_at in the QMS, '{timestamp}', is no time; it counts as closed when that was first seen"
    ]
    now = datetime.now(timezone.utc)
    (entry,) = quality.ledger.entries("qms", "capa")
    policy = CapaPolicy.read()
    earlier, _ = run(earlier_capas(quality.qms, quality.decisions, policy, now))
    raised = datetime.fromtimestamp(entry.changed_at, timezone.utc)
    assert earlier["PVTP-018"].dealt_with == ((raised - timedelta(days=30), DAY + timedelta(days=2)),)
