"""Shows that an approval raises a CAPA only where the audit trail proves it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from pv_testing.core.errors import AuditBroken, LedgerAltered, LedgerError
from pv_testing.ledger import marks
from tests.integration.capas.steps import Quality


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
