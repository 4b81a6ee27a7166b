"""Failures that recur become one CAPA each in a QMS on real sockets: found, approved, raised with their evidence."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

import sandbox
from pv_testing.core.errors import AuditBroken, ExchangeIncomplete, LedgerAltered, LedgerError
from pv_testing.core.places import project_root
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, QMSClient
from pv_testing.ledger import Ledger, marks
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.capas import find_findings, raise_capas
from pv_testing.quality.decisions import ASKED, ApprovalAnswer, Decisions
from pv_testing.quality.earlier_capas import earlier_capas
from pv_testing.quality.evidence import evidence
from pv_testing.quality.finding import Stratum
from pv_testing.quality.nonconformances import report_non_conformances

DAY = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)
WEAK = "PVTP-018"
FILES = ["control.png", "executions.csv", "pareto.png"]


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


@pytest.fixture
def laboratory(tmp_path):
    """Return a function that starts a laboratory with a seed plan; one protocol is weak."""
    with ExitStack() as stack:

        def start(**plan) -> Quality:
            plan = {"state": "complete", "modules": 12, "protocols": 6, "failures": 0.0, "weak": WEAK, **plan}
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(Quality(lab, ledger)))

        yield start


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """Return a function that replaces text in capa.yaml."""

    def change(*changes):
        shutil.copytree(project_root() / "config", tmp_path / "config")
        path = tmp_path / "config" / "capa.yaml"
        content = path.read_text()
        for before, after in changes:
            assert before in content
            content = content.replace(before, after)
        path.write_text(content)
        monkeypatch.setenv("PV_CONFIG", str(tmp_path / "config" / "integrations.yaml"))

    return change


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


def test_a_run_that_ends_after_the_approval_leaves_the_rest_to_the_next_one(laboratory):
    quality = laboratory()
    (finding,) = quality.find().questions
    quality.answer(finding)
    assert quality.find(DAY + timedelta(days=1)).questions == []
    capas, _ = quality.raise_approved()
    assert capas.counts()["created"] == 1
    assert quality.capas()[0]["corrective_action"]["target_date"] == "2025-12-29"


def test_a_rejected_finding_is_asked_about_again_when_another_module_fails(laboratory):
    quality = laboratory()
    (finding,) = quality.find().questions
    quality.answer(finding, approved=False)
    (report,) = quality.raise_approved()
    assert report.notes == ["PVTP-018/1 isn't raised: Ada Kern has rejected it"]
    report.raise_for_waiting()
    later = quality.find(DAY + timedelta(days=1))
    assert later.questions == []
    assert "Ada Kern has seen and rejected" in later.analysis.notes[0]
    quality.add_failure("2025-11-14T08:00:00.000Z")
    (again,) = quality.find(DAY + timedelta(days=1)).questions
    assert (again.key, again.modules) == ("PVTP-018/1", 8)
    assert quality.capas() == []


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


def test_an_unanswered_question_waits_for_a_person_and_is_asked_again(laboratory):
    quality = laboratory()
    (first,) = quality.find().questions
    (report,) = quality.raise_approved()
    assert [(outcome.key, outcome.code) for outcome in report.outcomes] == [("PVTP-018/1", "NOT_ANSWERED")]
    with pytest.raises(ExchangeIncomplete, match="asks again"):
        report.raise_for_waiting()
    (second,) = quality.find(DAY + timedelta(days=1)).questions
    assert first.digest != second.digest
    assert quality.decisions.asked() == [second.digest]


def test_an_approval_that_comes_after_another_question_is_not_lost(laboratory):
    quality = laboratory()
    (first,) = quality.find().questions
    (second,) = quality.find(DAY + timedelta(days=1)).questions
    quality.answer(first)
    report, _ = quality.raise_approved()
    assert report.counts()["created"] == 1
    assert [(o.key, o.code) for o in report.not_in_effect()] == [("PVTP-018/1", "NOT_ANSWERED")]
    assert quality.decisions.asked() == [second.digest]


def test_a_dry_run_leaves_a_rejected_finding_as_it_is(laboratory):
    quality = laboratory()
    (finding,) = quality.find().questions
    quality.answer(finding, approved=False)
    quality.raise_approved(dry_run=True)
    assert quality.decisions.asked() == [finding.digest]


def test_a_finding_that_was_changed_after_its_approval_is_not_raised_but_asked_again(laboratory):
    quality = laboratory()
    (finding,) = quality.find().questions
    quality.answer(finding)
    name = f"capa/finding/{finding.digest}"
    quality.ledger.set_watermark(name, quality.ledger.watermark(name).replace("Hypothesis", "Certainty"))
    (report,) = quality.raise_approved()
    assert [outcome.code for outcome in report.outcomes] == ["FINDING_CHANGED"]
    assert quality.capas() == []
    (again,) = quality.find(DAY + timedelta(days=1)).questions
    assert again.digest != finding.digest


def test_without_approval_nobody_is_asked(laboratory, rules):
    rules(("required: true ", "required: false"))
    quality = laboratory()
    assert quality.find().questions == []
    capas, _ = quality.raise_approved()
    assert capas.counts()["created"] == 1
    assert quality.capas()[0].get("approved_by") is None


def test_a_dry_run_keeps_and_asks_nothing(laboratory):
    quality = laboratory()
    found = quality.find(dry_run=True)
    assert [finding.key for finding in found.analysis.findings] == ["PVTP-018/1"]
    assert found.questions == []
    assert quality.ledger.watermark(ASKED) is None
    assert "finding PVTP-018/1" in found.table()


def history(quality, rate):
    """Move all service requests but the last into earlier months, and let a share of the weak protocol's tests fail."""
    requests = [row["id"] for row in quality.lab.framework_rows("SELECT id FROM service_requests ORDER BY id")]
    for back, sr_id in enumerate(reversed(requests[:-1]), start=2):
        quality.sql(
            "UPDATE executions SET completed_at = strftime('%Y-%m-%dT%H:%M:%fZ', completed_at, ?) WHERE sr_id = ?",
            f"-{30 * back} days",
            sr_id,
        )
        quality.sql(
            "UPDATE executions SET qc_status = iif(abs(random()) % 100 < ?, 'FAIL', 'PASS')"
            " WHERE sr_id = ? AND protocol_id = ?",
            rate,
            sr_id,
            WEAK,
        )


def test_more_failures_at_the_usual_rate_are_noted_and_raise_nothing(laboratory):
    quality = laboratory(requests=8, modules=20, protocols=1, weak="PVTP-001")
    quality.sql("UPDATE executions SET protocol_id = ?", WEAK)
    history(quality, rate=60)
    found = quality.find()
    assert found.questions == []
    (note,) = found.analysis.notes
    assert note.startswith("PVTP-018: 12 of 20 modules failed, above the threshold, but ")
    assert note.endswith("so that it raises nothing")


def test_a_rise_over_the_usual_rate_is_found_and_says_so(laboratory):
    quality = laboratory(requests=8, modules=20, protocols=1, weak="PVTP-001")
    quality.sql("UPDATE executions SET protocol_id = ?", WEAK)
    history(quality, rate=0)
    (finding,) = quality.find().questions
    assert finding.signal.known
    assert finding.signal.rises
    assert finding.signal.usually_tested == 140
    assert "The rate is higher than usual: 0.0% would be expected" in finding.capa["problem_statement"]


def test_the_framework_is_asked_for_listings_and_the_results_of_failures_alone(laboratory):
    quality = laboratory(requests=8, modules=20, protocols=6)
    before = len(quality.lab.requests("framework"))
    quality.find()
    asked = [request["path"] for request in quality.lab.requests("framework")[before:]]
    assert sum(path.endswith("/results") for path in asked) == 8 * 12
    assert sum(path.endswith("/executions") for path in asked) == 10
    assert len(asked) <= 8 * 12 + 10 + 4


def test_a_finding_names_criterion_model_equipment_and_non_conformances(laboratory):
    quality = laboratory()
    ids = [request["id"] for request in quality.framework.list_service_requests()]
    run(report_non_conformances(quality.framework, quality.qms, ids)).raise_for_waiting()
    (finding,) = quality.find().questions
    assert finding.strata["criterion"] == [Stratum("Power_Degradation", 7, 7)]
    assert finding.strata["model"] == [Stratum("AstraSolar AST-400-M", 7, 7)]
    assert finding.strata["protocol"] == [Stratum(WEAK, 7, 7)]
    assert len(finding.capa["related_ncs"]) == 7
    quality.answer(finding)
    for report in quality.raise_approved():
        report.raise_for_waiting()
    assert len(quality.capas()[0]["related_ncs"]) == 7


def test_only_findings_with_a_failure_of_the_wanted_service_request_are_kept(laboratory):
    quality = laboratory()
    assert quality.find(service_request="SR-1999-0001").questions == []
    (request,) = quality.framework.list_service_requests()
    assert len(quality.find(service_request=request["sr_number"]).questions) == 1


RESULTS = "GET /api/v1/executions/{}/results"


def failed_ones(quality):
    rows = quality.lab.framework_rows("SELECT execution_id FROM executions WHERE qc_status = 'FAIL' ORDER BY 1")
    return [row["execution_id"] for row in rows]


@pytest.mark.parametrize("status", [403, 404, 409, 410, 422, 500])
def test_a_failure_whose_results_are_refused_counts_without_its_criteria_and_is_named(laboratory, status):
    quality = laboratory()
    one, *others = failed_ones(quality)
    quality.lab.faults("framework", {"route": RESULTS.format(one), "kind": "error", "status": status})
    found = quality.find()
    (finding,) = found.questions
    assert finding.modules == len(others) + 1
    assert finding.strata["criterion"] == [Stratum("Power_Degradation", len(others), len(others))]
    (note,) = found.analysis.notes
    assert note.startswith(f"no failed criteria are known of execution {one}: the framework doesn't give it: ")


def test_failures_whose_results_are_refused_alike_share_a_note(laboratory):
    quality = laboratory()
    quality.lab.faults("framework", {"route": RESULTS.format("*"), "kind": "error", "status": 403})
    found = quality.find()
    assert found.questions[0].strata.get("criterion", []) == []
    (note,) = found.analysis.notes
    names = ", ".join(str(number) for number in failed_ones(quality))
    assert note.startswith(f"no failed criteria are known of executions {names}: ")


def in_qms(quality, statement, *values):
    with closing(sqlite3.connect(quality.lab.settings.database("qms"))) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.parametrize("said", ["25.11.2026", "0001-01-01T00:00:00Z"])
def test_a_capa_whose_creation_nobody_can_read_was_raised_when_the_ledger_says(laboratory, said):
    quality = laboratory()
    quality.approve_all()
    in_qms(quality, "UPDATE capas SET created_at = ?", said)
    found = quality.find(DAY + timedelta(days=1))
    assert found.questions == []
    instead = "it counts as raised when the ledger says, or today where it doesn't know the CAPA"
    assert found.analysis.notes == [
        f"PVTP-018/1: its created_at in the QMS, '{said}', is no time; {instead}",
        "PVTP-018: 7 modules failed; its CAPA PVTP-018/1 isn't closed yet",
    ]
    in_qms(quality, "UPDATE capas SET status = 'Closed', body = json_set(body, '$.closed_at', ?)", said)
    (capa,) = quality.qms.list("get_capas")
    assert (capa["status"], capa["closed_at"]) == ("Closed", said)
    _, *notes = (closed := quality.find(DAY + timedelta(days=2))).analysis.notes
    assert closed.questions == []
    assert notes == [
        f"PVTP-018/1: its closed_at in the QMS, '{said}', is no time; it counts as closed when that was first seen"
    ]
    now = datetime.now(timezone.utc)
    (entry,) = quality.ledger.entries("qms", "capa")
    policy = CapaPolicy.read()
    earlier, _ = run(earlier_capas(quality.qms, quality.decisions, policy, now))
    raised = datetime.fromtimestamp(entry.changed_at, timezone.utc)
    assert earlier["PVTP-018"].dealt_with == ((raised - timedelta(days=30), DAY + timedelta(days=2)),)


@pytest.fixture
def quality(laboratory) -> Quality:
    """Give a laboratory with failures that recur."""
    return laboratory()


def forge(quality, *statements):
    """Change the ledger by SQL, as somebody who owns its database."""
    with quality.ledger._store.exclusive() as connection:
        for statement, given in statements:
            connection.execute(text(statement), given)


PUT = "INSERT INTO ledger_watermark (name, value) VALUES (:name, :value)"
SET = "UPDATE ledger_watermark SET value = :value WHERE name = :name"


def test_a_forged_answer_raises_nothing_and_is_named(quality):
    (finding,) = quality.find().questions
    name = f"capa/answer/{finding.digest}"
    forge(
        quality, (PUT, {"name": name, "value": '{"approved":true,"by":"Vera Forged","at":"2025-11-14T07:00:00+00:00"}'})
    )
    (report,) = quality.raise_approved()
    assert [outcome.code for outcome in report.not_in_effect()] == ["APPROVAL_UNPROVEN"]
    assert quality.capas() == []
    with pytest.raises(LedgerAltered, match=f"watermark {name}: no event"):
        quality.ledger.verify()
    assert "APPROVAL_UNPROVEN" in str(quality.find().analysis.notes)
    quality.answer(finding)
    quality.raise_approved()
    assert [capa["approved_by"] for capa in quality.capas()] == ["Ada Kern"]


def test_a_name_forged_into_an_answer_is_not_that_of_the_capa(quality):
    (finding,) = quality.find().questions
    quality.answer(finding)
    name = f"capa/answer/{finding.digest}"
    forge(quality, (SET, {"name": name, "value": quality.ledger.watermark(name).replace("Ada Kern", "Vera Forged")}))
    (report,) = quality.raise_approved()
    assert [outcome.code for outcome in report.not_in_effect()] == ["APPROVAL_UNPROVEN"]
    assert quality.capas() == []


def test_a_rejection_forged_into_an_approval_raises_nothing(quality):
    (finding,) = quality.find().questions
    quality.answer(finding, approved=False)
    name = f"capa/answer/{finding.digest}"
    forge(quality, (SET, {"name": name, "value": quality.ledger.watermark(name).replace("false", "true")}))
    quality.raise_approved()
    assert quality.capas() == []


def test_an_approval_rewritten_in_the_trail_raises_nothing(quality):
    (finding,) = quality.find().questions
    quality.answer(finding)
    name = f"capa/answer/{finding.digest}"
    forged = quality.ledger.watermark(name).replace("Ada Kern", "Vera Forged")
    trail = "UPDATE ledger_audit SET detail = replace(detail, 'Ada Kern', 'Vera Forged') WHERE action = 'approve'"
    forge(quality, ("DROP TRIGGER ledger_audit_no_update", {}), (trail, {}), (SET, {"name": name, "value": forged}))
    with pytest.raises(AuditBroken, match="was altered"):
        quality.raise_approved()
    assert quality.capas() == []


def test_answer_and_event_are_one_transaction(quality, monkeypatch):
    (finding,) = quality.find().questions
    before = quality.ledger.verify().count

    def fails(*_):
        raise LedgerError("the ledger can't be used")

    monkeypatch.setattr(marks, "append", fails)
    with pytest.raises(LedgerError):
        quality.answer(finding)
    monkeypatch.undo()
    assert quality.ledger.watermark(f"capa/answer/{finding.digest}") is None
    assert quality.ledger.verify().count == before
    quality.answer(finding)
    assert [event.action for event in quality.ledger.events(after=before)] == ["mark", "approve"]
