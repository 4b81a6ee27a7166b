"""What raises a finding and what doesn't, on histories written out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pv_testing.core.errors import ConfigError, DataError
from pv_testing.domain.reading import read_execution
from pv_testing.quality.analysis import Earlier
from pv_testing.quality.finding import read_finding
from pv_testing.quality.history import CountedExecution, read_trials
from tests.unit.quality.failing import AT, analysed, policy, trials, year


@pytest.mark.parametrize(("failed", "findings"), [(5, 0), (6, 1)])
def test_the_threshold_is_strictly_more(failed, findings):
    assert len(analysed(trials(failed, 12)).findings) == findings


def test_the_retests_of_a_module_count_once_and_its_executions_are_told():
    once = list(trials(5, 12))
    again = [
        CountedExecution(f"{t.execution_id}R", t.protocol_id, t.module, "SR-1", t.completed_at, True) for t in once[:5]
    ]
    assert analysed(once, again).findings == []
    (finding,) = analysed(once, again, trials(1, 1)).findings
    assert (finding.modules, finding.failures, finding.tested) == (6, 11, 13)


def test_a_module_that_fails_and_then_passes_has_failed():
    once = list(trials(6, 6))
    passed = [CountedExecution(f"{t.execution_id}R", t.protocol_id, t.module, "SR-1", AT, failed=False) for t in once]
    assert analysed(once, passed).findings[0].modules == 6


def test_failures_outside_the_window_do_not_count():
    assert analysed(trials(6, 6, days_ago=30)).findings == []
    assert len(analysed(trials(6, 6, days_ago=29.99)).findings) == 1
    assert analysed(trials(6, 6, days_ago=-0.1)).findings == []


def test_a_protocol_has_its_own_threshold_and_window():
    rules = policy(protocols={"PVTP-018": {"threshold": 2, "window_days": 10}})
    assert len(analysed(trials(3, 3, days_ago=9), rules=rules).findings) == 1
    assert analysed(trials(3, 3, days_ago=11), rules=rules).findings == []
    assert analysed(trials(3, 3, protocol="PVTP-001"), rules=rules).findings == []


def test_a_busy_month_at_the_usual_rate_is_a_note():
    found = analysed(trials(8, 160), year(24, 480))
    assert found.findings == []
    (note,) = found.notes
    assert note.startswith("PVTP-018: 8 of 160 modules failed, above the threshold, but 5.0% is usual")


def test_the_same_number_of_failures_at_a_higher_rate_is_a_finding():
    (finding,) = analysed(trials(8, 30), year(24, 480)).findings
    assert finding.signal.rises
    assert finding.signal.usual_rate == 0.05
    assert finding.signal.probability < finding.signal.level


def test_a_signal_that_is_only_stated_leaves_the_decision_to_the_threshold():
    (finding,) = analysed(trials(8, 160), year(24, 480), rules=policy(signal="stated")).findings
    assert not finding.signal.rises
    assert "The rate is not higher than usual" in finding.capa["problem_statement"]


def test_without_enough_baseline_the_threshold_decides():
    (finding,) = analysed(trials(8, 160), year(1, 29)).findings
    assert not finding.signal.known
    assert "What is usual isn't known yet: the baseline has 29 tests." in finding.capa["problem_statement"]


def test_failures_of_one_model_raise_one_finding_that_names_it():
    (finding,) = analysed(trials(8, 30), year(24, 480)).findings
    assert (finding.kind, finding.value) == ("protocol", "PVTP-018")
    assert [(row.name, row.modules) for row in finding.strata["model"]] == [("A 1", 8)]


def test_a_bad_bench_that_no_protocol_shows_is_found_by_equipment():
    protocols = [f"PVTP-{number:03}" for number in range(1, 6)]
    bad = [t for p in protocols for t in trials(3, 5, protocol=p, bench="B-9", model="")]
    good = [t for p in protocols for t in trials(0, 35, protocol=p, model="")]
    usual = [t for p in protocols for t in year(20, 400, protocol=p, model="")]
    (finding,) = analysed(bad, good, usual).findings
    assert finding.key == "equipment:B-9/1"
    assert (finding.modules, finding.tested) == (15, 25)
    assert "tests on the equipment B-9" in finding.capa["title"]
    assert "protocol_id" not in finding.capa


def test_models_and_equipment_need_a_baseline():
    protocols = [f"PVTP-{number:03}" for number in range(1, 6)]
    assert analysed(*(trials(3, 5, protocol=p) for p in protocols)).findings == []


def test_a_criterion_that_fails_in_several_protocols_is_a_note():
    found = analysed(trials(4, 12), trials(4, 12, protocol="PVTP-019"))
    assert found.findings == []
    assert found.notes == ["criterion Pmax: 8 modules failed it in 2 protocols; a criterion alone raises nothing"]


def test_while_a_capa_is_open_its_scope_raises_nothing_and_nor_do_its_failures_elsewhere():
    earlier = {"PVTP-018": Earlier(2, "PVTP-018/2")}
    found = analysed(trials(8, 30), year(24, 480), earlier=earlier)
    assert found.findings == []
    assert found.notes == ["PVTP-018: 8 modules failed; its CAPA PVTP-018/2 isn't closed yet"]


def test_after_closing_only_newer_failures_count():
    earlier = {"PVTP-018": Earlier(1, "", AT - timedelta(days=10))}
    assert analysed(trials(8, 8, days_ago=12), trials(5, 5), earlier=earlier).findings == []
    (finding,) = analysed(trials(8, 8, days_ago=12), trials(6, 6), earlier=earlier).findings
    assert (finding.key, finding.modules, finding.tested) == ("PVTP-018/2", 6, 6)


def test_what_led_to_a_capa_does_not_become_usual():
    outbreak = list(trials(60, 100, days_ago=100))
    dealt_with = ((AT - timedelta(days=120), AT - timedelta(days=60)),)
    parts = trials(8, 30), outbreak, trials(24, 480, days_ago=200)
    spoilt = analysed(*map(list, parts)).notes
    assert "that it raises nothing" in spoilt[0]
    earlier = {"PVTP-018": Earlier(1, "", AT - timedelta(days=60), dealt_with)}
    (finding,) = analysed(trials(8, 30), outbreak, trials(24, 480, days_ago=200), earlier=earlier).findings
    assert (finding.signal.usually_failed, finding.signal.usually_tested) == (24, 480)


def test_the_same_history_gives_the_same_digest_and_its_document_is_read_back():
    parts = list(trials(8, 30)), list(year(24, 480))
    (finding,) = analysed(*parts).findings
    (again,) = analysed(*(reversed(part) for part in parts)).findings
    assert finding.digest == again.digest
    assert read_finding(finding.document(), finding.digest) == finding


def test_rows_that_cannot_be_counted_are_noted():
    row = {"protocol_id": "PVTP-001", "module_id": "M1", "status": "COMPLETE", "completed_at": "2025-11-01T00:00:00Z"}
    rows = [
        {**row, "execution_id": 1, "qc_status": "FAIL"},
        {**row, "execution_id": 2, "qc_status": "MAYBE"},
        {**row, "execution_id": 3, "qc_status": "PASS", "completed_at": "yesterday"},
        {**row, "execution_id": 4, "qc_status": "FAIL", "status": "RUNNING"},
        {**row, "execution_id": 5, "qc_status": "WARNING", "module_id": None},
    ]
    read, notes = read_trials(rows, {})
    assert [(trial.execution_id, trial.module, trial.failed) for trial in read] == [
        ("1", "M1", True),
        ("5", "execution 5", False),
    ]
    assert len(notes) == 2


def test_a_row_whose_shape_nobody_knows_is_noted_and_the_others_count(monkeypatch):
    def read(row):
        if row["execution_id"] == 6:
            raise DataError("execution 6: equipment is 'x', where a list belongs")
        return read_execution(row)

    monkeypatch.setattr("pv_testing.quality.history.read_execution", read)
    row = {"protocol_id": "PVTP-001", "module_id": "M1", "status": "COMPLETE", "completed_at": "2025-11-01T00:00:00Z"}
    trials, notes = read_trials([{**row, "execution_id": number, "qc_status": "FAIL"} for number in (6, 7)], {})
    assert [trial.execution_id for trial in trials] == ["7"]
    assert notes == ["execution 6 isn't counted: execution 6: equipment is 'x', where a list belongs"]


@pytest.mark.parametrize("text", ["{module}", "{", "{0}", "{name.real}"])
def test_a_template_that_cannot_be_filled_in_is_refused_when_it_is_read(text):
    with pytest.raises(ConfigError, match="title: can't be filled in"):
        policy(title=text)
