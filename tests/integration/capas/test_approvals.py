"""Shows that a finding is raised when a person has approved it as it is, and is asked about again otherwise."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from pv_testing.core.errors import ExchangeIncomplete
from pv_testing.core.places import project_root
from tests.integration.capas.steps import DAY


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
