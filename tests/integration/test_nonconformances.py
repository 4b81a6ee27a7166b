"""Failed executions become reports in a QMS on real sockets: one each, linked to earlier ones, never closed by us."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing

import pytest

import sandbox
from pv_testing.core.errors import ExchangeIncomplete, PermissionDenied
from pv_testing.core.places import MAPPINGS, project_root
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, QMSClient
from pv_testing.ledger import Ledger
from pv_testing.quality.nonconformances import report_non_conformances


class Quality:
    """A laboratory whose tests are done, and the step that reports what failed."""

    def __init__(self, lab: sandbox.Lab, ledger: Ledger, **credentials) -> None:
        self.lab, self.ledger = lab, ledger
        known = lab.credentials
        self.framework = FrameworkClient(
            lab.framework_url, username=known.framework_username, password=known.framework_password, ledger=ledger
        )
        chosen = credentials or {"username": known.qms_username, "password": known.qms_password}
        self.qms = QMSClient(lab.url("qms"), ledger=ledger, owner="test", **chosen)

    def report(self, **options):
        ids = [request["id"] for request in self.framework.list_service_requests()]
        return run(report_non_conformances(self.framework, self.qms, ids, **options))

    def ncs(self):
        rows = self.lab.rows("qms", "SELECT * FROM nc_reports ORDER BY number")
        return {row["external_id"]: {**row, "id": f"NC-{row['number']:06d}", **json.loads(row["body"])} for row in rows}

    def executions(self, verdict=None):
        rows = self.lab.framework_rows("SELECT * FROM executions ORDER BY execution_id")
        return [row for row in rows if verdict in {None, row["qc_status"]}]

    def failed(self):
        return [str(row["execution_id"]) for row in self.executions("FAIL")]

    def retest(self, execution, verdict):
        """Test the same module again, and decide."""
        made = self.framework.execute_protocol(
            execution["protocol_id"],
            sr_id=execution["sr_id"],
            module_id=execution["module_id"],
            operator_id=42,
            equipment={},
            parameters={},
        )
        self.lab.run_executions(execution["sr_id"])
        self.lab.decide(made["execution_id"], verdict)
        return str(made["execution_id"])

    def doubles(self):
        return self.lab.control("qms", "GET", "counts")["nc_reports"]["duplicates"]

    def close(self) -> None:
        self.framework.close()
        self.qms.close()


@pytest.fixture
def laboratory(tmp_path):
    """Return a function that starts a laboratory with a seed plan."""
    with ExitStack() as stack:

        def start(credentials=None, **plan) -> Quality:
            plan = {"state": "complete", "modules": 3, "protocols": 2, "failures": 0.0, **plan}
            lab = stack.enter_context(sandbox.serve(tmp_path / "lab", seed_plan=sandbox.SeedPlan(**plan)))
            ledger = stack.enter_context(Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
            return stack.enter_context(closing(Quality(lab, ledger, **(credentials(lab) if credentials else {}))))

        yield start


@pytest.fixture
def quality(laboratory) -> Quality:
    return laboratory()


def decide(quality, verdict, overall=None, place=0, **criteria):
    execution = quality.executions()[place]
    quality.lab.decide(execution["execution_id"], verdict, overall, **criteria)
    return execution, str(execution["execution_id"])


def reads(quality):
    return [r for r in quality.lab.requests("framework") if r["path"].endswith("/results")]


def writes(quality):
    return [r for r in quality.lab.requests("qms") if r["method"] != "GET" and "oauth" not in r["path"]]


def test_each_failed_execution_has_one_report_and_a_second_run_sends_nothing(laboratory):
    quality = laboratory(modules=12, protocols=12, failures=0.1)
    failed = quality.failed()
    assert len(failed) == 14
    report = quality.report()
    report.raise_for_waiting()
    assert report.counts()["created"] == 14
    assert sorted(quality.ncs()) == sorted(failed)
    sent, read = len(writes(quality)), len(reads(quality))
    assert read == 144
    again = quality.report()
    assert again.counts() == {**dict.fromkeys(again.counts(), 0), "unchanged": 14}
    assert again.external_ids() == report.external_ids()
    assert (len(writes(quality)), len(reads(quality))) == (sent, read)


def test_a_replay_reads_everything_and_still_sends_nothing(laboratory):
    quality = laboratory(modules=12, protocols=3, failures=0.2)
    quality.report().raise_for_waiting()
    sent, read = len(writes(quality)), len(reads(quality))
    again = quality.report(replay=True)
    assert again.counts()["unchanged"] == len(quality.failed())
    assert (len(writes(quality)), len(reads(quality))) == (sent, 2 * read)


def test_a_report_says_what_the_sandbox_measured(laboratory):
    quality = laboratory(modules=40, protocols=2, failures=0.5)
    quality.report().raise_for_waiting()
    reports = list(quality.ncs().values())
    assert all("Root cause: to be determined." in nc["description"] for nc in reports)
    assert all(nc["detection_date"] == row_date(quality, nc) for nc in reports)
    drifted = [nc for nc in reports if "irradiance was 10" in nc["description"]]
    assert 0 < len(drifted) < len(reports)
    assert all(nc["root_cause_analysis"]["contributing_factors"] for nc in drifted)
    assert any(
        "simulator SIM-001: calibration due 2025-11-24, 11 days after the test" in nc["description"] for nc in reports
    )


def row_date(quality, nc):
    (row,) = (r for r in quality.executions() if str(r["execution_id"]) == nc["external_id"])
    return row["completed_at"].replace(".000Z", "Z")


def test_a_dry_run_changes_nothing_anywhere(laboratory):
    quality = laboratory(modules=12, failures=0.2)
    report = quality.report(dry_run=True)
    assert report.counts()["created"] == len(quality.failed())
    assert quality.ncs() == {}
    assert quality.ledger.verify().count == 0
    assert quality.report().counts()["created"] == len(quality.failed())


@pytest.mark.parametrize(("qc_status", "overall"), [("FAIL", "PASS"), ("PASS", "FAIL"), ("FAIL", "WARNING")])
def test_either_fail_makes_a_report_and_the_contradiction_is_said(quality, qc_status, overall):
    _, execution_id = decide(quality, qc_status, overall)
    report = quality.report()
    assert report.counts()["created"] == 1
    reason = f"qc_status says {qc_status}, pass_fail says {overall}"
    assert f"Contradiction: {reason}: they contradict each other." in quality.ncs()[execution_id]["description"]
    assert [note for note in report.notes if execution_id in note and reason in note and "correct one of them" in note]


@pytest.mark.parametrize("word", ["WARNING", "Conditional Pass", "pending"])
def test_what_is_neither_pass_nor_fail_is_listed_for_review_each_time(quality, word):
    _, execution_id = decide(quality, word)
    for _ in range(2):
        report = quality.report()
        assert report.outcomes == []
        (note,) = report.notes
        assert note.startswith(f"execution {execution_id} (PVTP-001 on AST2025M400001): qc_status says {word}")
        assert note.endswith("no non-conformance; please review")
    assert quality.ncs() == {}


def test_a_failed_criterion_under_a_pass_is_listed_for_review(quality):
    failed = [{"parameter": "Pmax", "expected": "400 W", "measured": 350.0, "result": "FAIL"}]
    decide(quality, "PASS", criteria=failed)
    report = quality.report()
    assert report.outcomes == []
    assert "but a criterion failed; no non-conformance" in report.notes[0]


def test_a_word_that_nobody_knows_waits_until_it_is_corrected(quality):
    _, execution_id = decide(quality, "kaput")
    report = quality.report()
    assert [(o.key, o.code) for o in report.outcomes] == [(execution_id, "STATUS_UNKNOWN")]
    with pytest.raises(ExchangeIncomplete):
        report.raise_for_waiting()
    assert [entry.key for entry in quality.ledger.waiting("qms")] == [execution_id]
    decide(quality, "PASS")
    assert quality.report().outcomes == []
    assert quality.ledger.waiting("qms") == []
    decide(quality, "FAIL")
    assert quality.report().counts()["created"] == 1


def test_a_retest_that_fails_refers_to_the_earlier_report(quality):
    execution, first = decide(quality, "FAIL")
    quality.report().raise_for_waiting()
    second = quality.retest(execution, "FAIL")
    assert quality.report().counts()["created"] == 1
    reports = quality.ncs()
    assert reports[first]["earlier_nc"] is None
    assert reports[second]["earlier_nc"] == reports[first]["id"]
    assert f"Retest: execution {first} failed before, see {reports[first]['id']}." in reports[second]["description"]


def test_retests_that_are_reported_in_one_run_refer_to_each_other(quality):
    execution, first = decide(quality, "FAIL")
    second, third = (quality.retest(execution, "FAIL") for _ in range(2))
    report = quality.report()
    report.raise_for_waiting()
    reports = quality.ncs()
    assert [reports[name]["earlier_nc"] for name in (first, second, third)] == [
        None,
        reports[first]["id"],
        reports[second]["id"],
    ]
    assert quality.report().counts()["unchanged"] == 3


def test_a_retest_that_passes_closes_nothing(quality):
    execution, first = decide(quality, "FAIL")
    quality.report().raise_for_waiting()
    retest = quality.retest(execution, "PASS")
    report = quality.report()
    assert report.counts()["unchanged"] == 1
    (note,) = report.notes
    assert note.startswith(f"execution {retest} (PVTP-001 on AST2025M400001), a retest, passes")
    assert [nc["status"] for nc in quality.ncs().values()] == ["open"]
    assert quality.qms.get_nc_status(quality.ncs()[first]["id"]) == "OPEN"


def test_a_report_stays_when_its_execution_passes_after_all(quality):
    _, execution_id = decide(quality, "FAIL")
    quality.report().raise_for_waiting()
    before = quality.ncs()
    decide(quality, "PASS")
    report = quality.report()
    (note,) = report.notes
    assert note.endswith(f"passes now; its non-conformance {before[execution_id]['id']} stays until a person closes it")
    assert quality.ncs() == before
    assert quality.report().counts()["unchanged"] == 1


def test_a_corrected_measurement_changes_the_open_report(quality):
    failed = [{"parameter": "Pmax", "expected": "400 W", "tolerance": "-3/+5 %", "measured": 350.0, "result": "FAIL"}]
    _, execution_id = decide(quality, "FAIL", criteria=failed)
    quality.report().raise_for_waiting()
    decide(quality, "FAIL", criteria=[{**failed[0], "measured": 361.5}])
    assert quality.report().counts()["updated"] == 1
    cause = quality.ncs()[execution_id]["root_cause_analysis"]["immediate_cause"]
    assert cause.startswith("Pmax: measured 361.5 W, expected 400 W, tolerance -3/+5 %.")


def test_a_closed_report_is_not_changed_and_waits_for_a_person(quality):
    failed = [{"parameter": "Pmax", "expected": "400 W", "measured": 350.0, "result": "FAIL"}]
    _, execution_id = decide(quality, "FAIL", criteria=failed)
    quality.report().raise_for_waiting()
    quality.lab.close("qms", "nc-reports", quality.ncs()[execution_id]["id"])
    assert quality.report().counts()["unchanged"] == 1
    decide(quality, "FAIL", criteria=[{**failed[0], "measured": 361.5}])
    (outcome,) = quality.report().outcomes
    assert (outcome.result.value, outcome.code) == ("rejected", "INVALID_TRANSITION")
    (outcome,) = quality.report().outcomes
    assert (outcome.result.value, outcome.code) == ("rejected", "INVALID_TRANSITION")
    decide(quality, "FAIL", criteria=failed)
    assert quality.report().counts()["unchanged"] == 1
    assert quality.ledger.waiting("qms") == []


def test_other_rules_apply_to_later_reports_only(quality, tmp_path, monkeypatch):
    _, first = decide(quality, "FAIL")
    quality.report().raise_for_waiting()
    (tmp_path / "integrations.yaml").write_text("{}")
    (tmp_path / "quality.yaml").write_text("critical_protocols: [PVTP-001]")
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "integrations.yaml"))
    quality.lab.close("qms", "nc-reports", quality.ncs()[first]["id"])
    _, second = decide(quality, "FAIL", place=2)
    report = quality.report(replay=True)
    assert (report.counts()["created"], report.counts()["unchanged"], report.total()) == (1, 1, 2)
    assert {name: nc["severity"] for name, nc in quality.ncs().items()} == {first: "Minor", second: "Major"}


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "html", "drop_before"])
def test_lost_and_garbled_answers_make_neither_doubles_nor_gaps(laboratory, kind):
    quality = laboratory(modules=30, protocols=2, failures=0.4)
    quality.lab.faults("qms", {"route": "POST /api/nc-reports", "kind": kind, "rate": 0.4, "times": 8, "seed": 3})
    quality.report().raise_for_waiting()
    assert sum(rule["hits"] for rule in quality.lab.fault_report("qms")) == 8
    assert sorted(quality.ncs()) == sorted(quality.failed())
    assert quality.doubles() == []


def test_a_change_whose_answer_is_lost_is_looked_up(quality):
    failed = [{"parameter": "Pmax", "expected": "400 W", "measured": 350.0, "result": "FAIL"}]
    _, execution_id = decide(quality, "FAIL", criteria=failed)
    quality.report().raise_for_waiting()
    decide(quality, "FAIL", criteria=[{**failed[0], "measured": 361.5}])
    quality.lab.faults("qms", {"route": "PUT /api/nc-reports/*", "kind": "drop_after", "times": 3})
    quality.report().raise_for_waiting()
    assert "361.5" in quality.ncs()[execution_id]["description"]
    assert quality.doubles() == []


def test_what_an_attempt_left_in_doubt_is_looked_up_although_the_facts_are_the_old_ones_again(quality):
    failed = [{"parameter": "Pmax", "expected": "400 W", "measured": 350.0, "result": "FAIL"}]
    _, execution_id = decide(quality, "FAIL", criteria=failed)
    quality.report().raise_for_waiting()
    decide(quality, "FAIL", criteria=[{**failed[0], "measured": 361.5}])
    quality.lab.faults(
        "qms",
        {"route": "PUT /api/nc-reports/*", "kind": "drop_after", "times": 50},
        {"route": "GET /api/nc-reports*", "kind": "error", "status": 503, "times": 50},
    )
    assert quality.report().not_in_effect()
    assert "361.5" in quality.ncs()[execution_id]["description"]
    quality.lab.faults("qms")
    decide(quality, "FAIL", criteria=failed)
    for _ in range(3):
        report = quality.report()
    report.raise_for_waiting()
    assert "350.0" in quality.ncs()[execution_id]["description"]


def test_a_report_that_may_have_been_made_waits_although_its_execution_passes_now(quality):
    _, execution_id = decide(quality, "FAIL")
    quality.lab.faults(
        "qms",
        {"route": "POST /api/nc-reports", "kind": "drop_after", "times": 50},
        {"route": "GET /api/nc-reports*", "kind": "error", "status": 503, "times": 50},
    )
    assert quality.report().not_in_effect()
    quality.lab.faults("qms")
    decide(quality, "PASS")
    for _ in range(2):
        (outcome,) = quality.report().not_in_effect()
        assert (outcome.key, outcome.result.value, outcome.code) == (execution_id, "quarantined", "IN_DOUBT")
    (nc,) = quality.ncs().values()
    quality.ledger.confirm("qms", "nc", execution_id, nc["id"], owner="ana")
    report = quality.report()
    report.raise_for_waiting()
    assert report.notes[-1].endswith(f"passes now; its non-conformance {nc['id']} stays until a person closes it")
    assert quality.ledger.waiting("qms") == []


def test_after_a_lost_ledger_what_is_there_is_adopted(laboratory, tmp_path):
    quality = laboratory(modules=6, failures=0.5)
    quality.report().raise_for_waiting()
    text = (project_root() / MAPPINGS / "qms_custom.yaml").read_text(encoding="utf-8")
    looking = tmp_path / "looking.yaml"
    looking.write_text(text.replace("    kind: nc\n", "    kind: nc\n    look_first: true\n"), encoding="utf-8")
    known = quality.lab.credentials
    basic = {"username": known.qms_username, "password": known.qms_password}
    with (
        Ledger(f"sqlite:///{tmp_path / 'new.sqlite'}") as ledger,
        closing(Quality(quality.lab, ledger, contract=str(looking), **basic)) as again,
    ):
        assert again.report().counts()["adopted"] == len(quality.failed())
    assert quality.doubles() == []


def oauth(*scopes):
    def credentials(lab):
        known = lab.credentials
        return {
            "client_id": known.qms_client_id,
            "client_secret": known.qms_client_secret,
            "token_url": f"{lab.url('qms').removesuffix('/api')}/oauth/token",
            "scopes": list(scopes),
        }

    return credentials


def test_with_its_scopes_an_oauth_client_reports(laboratory):
    quality = laboratory(oauth("read:nc", "write:nc"))
    decide(quality, "FAIL")
    assert quality.report().counts()["created"] == 1


def test_without_write_nc_nothing_is_sent_and_the_error_names_the_scope(laboratory):
    quality = laboratory(oauth("read:nc"))
    decide(quality, "FAIL")
    report = quality.report()
    with pytest.raises(PermissionDenied, match="write:nc"):
        report.raise_for_waiting()
    assert quality.ncs() == {}


def test_a_request_deleted_half_way_is_noted_and_the_others_go_on(laboratory):
    quality = laboratory(requests=2)
    decide(quality, "FAIL", place=-1)
    gone = quality.executions()[0]["sr_id"]
    quality.lab.vanish(gone)
    report = quality.report()
    assert report.counts()["created"] == 1
    assert any(f"service request {gone} has been deleted" in note for note in report.notes)
