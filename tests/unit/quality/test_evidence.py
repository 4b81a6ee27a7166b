"""The files of a finding are the same bytes wherever and whenever they are made, and nothing in them is active."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
from dataclasses import replace

import pytest

from pv_testing.core.places import project_root
from pv_testing.ledger import Ledger
from pv_testing.quality.decisions import ApprovalAnswer, Decisions
from pv_testing.quality.evidence import evidence, executions
from pv_testing.quality.finding import CapaFinding
from pv_testing.quality.question import body, subject
from tests.unit.quality.failing import analysed, trials, year

ELSEWHERE = """
import hashlib, sys
import matplotlib
matplotlib.rcParams.update({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 30})
from pv_testing.quality.evidence import evidence
from pv_testing.quality.finding import digest_of, read_finding
document = sys.stdin.read()
for file in evidence(read_finding(document, digest_of(document))):
    print(hashlib.sha256(file.content).hexdigest())
"""


@pytest.fixture(scope="module")
def finding() -> CapaFinding:
    (found,) = analysed(trials(8, 30, model="=cmd|' /C calc'!A1"), year(24, 480)).findings
    return found


def test_the_same_finding_gives_the_same_bytes_in_another_process_with_other_settings(finding):
    answer = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=finding.document(),
        cwd=project_root(),
        env={"PYTHONPATH": "plugins", "PATH": "", "HOME": "/nowhere", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    here = [hashlib.sha256(file.content).hexdigest() for file in evidence(finding)]
    assert answer.stdout.split() == here


def test_charts_can_be_drawn_without_a_baseline_or_anything_known_of_the_modules():
    (bare,) = analysed(replace(trial, model="", equipment=(), criteria=()) for trial in trials(8, 30)).findings
    assert all(file.content.startswith(b"\x89PNG") for file in evidence(bare)[1:])


def test_the_list_has_a_row_for_each_failed_execution_and_no_formula(finding):
    rows = list(csv.DictReader(io.StringIO(executions(finding).decode())))
    assert [row["execution_id"] for row in rows] == [row["execution_id"] for row in finding.executions]
    assert all(row["model"].startswith("'=") for row in rows)


def test_the_question_gives_no_probability_where_nothing_is_known_to_be_usual(finding):
    known, unknown = (replace(finding, signal=replace(finding.signal, known=known)) for known in (True, False))
    assert "| probability by chance | not known yet |" in body(unknown, "/pv/charts/abc")
    assert "| probability by chance | not known yet |" not in body(known, "/pv/charts/abc")


def test_the_question_shows_numbers_charts_and_what_would_be_created(finding):
    text = body(finding, "/pv/charts/abc")
    assert subject(finding) == "Raise CAPA PVTP-018/1? 8 modules failed in 30 days."
    assert "| failed tests | 8 of 30 | 24 of 480 |" in text
    assert "(/pv/charts/abc/pareto.png)" in text
    assert "(/pv/charts/abc/control.png)" in text
    assert "Process Engineering, by 2025-12-29" in text
    assert finding.digest in text


def test_nothing_that_a_system_said_is_markdown(finding):
    row = {**finding.executions[0], "module": "[x](javascript:alert(1))|<b>"}
    text = body(replace(finding, executions=[row]), "/pv/charts/abc")
    assert r"\[x\](javascript:alert(1))\|\<b\>" in text


def test_answers_are_in_the_audit_trail_and_belong_to_a_digest(finding):
    with Ledger.in_memory() as ledger:
        decisions = Decisions(ledger)
        decisions.ask([finding])
        decisions.answer(finding.digest, ApprovalAnswer(approved=False, by="Ada", at="2025-11-14"), owner="pv_capa/run")
        (event,) = [event for event in ledger.events() if event.action != "mark"]
        assert (event.action, event.key, event.owner) == ("reject", "PVTP-018/1", "pv_capa/run")
        assert event.detail == {"finding": finding.digest, "by": "Ada", "at": "2025-11-14"}
        assert decisions.rejection("PVTP-018").executions == finding.execution_ids
        assert decisions.answer_of("0" * 64) is None
