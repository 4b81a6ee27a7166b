"""Shows which failures that recur become a finding, and what the finding says of them."""

from __future__ import annotations

import pytest

from pv_testing.core.sync import run
from pv_testing.quality.decisions import ASKED
from pv_testing.quality.finding import Stratum
from pv_testing.quality.nonconformances import report_non_conformances
from tests.integration.capas.steps import WEAK


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
