"""When reports were approved and tests withdrawn is taken from what the framework says, once and for good."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from pv_testing.billing.invoice_state import InvoiceState
from pv_testing.core.errors import DataError
from pv_testing.ledger import Ledger
from pv_testing.workflow.withdrawals import withdrawn_at, withdrawn_from
from tests.unit.billing.orders import order

CHANGED = {"updated_at": "2026-04-02T08:00:00Z"}
APPROVED = datetime(2026, 3, 31, 22, 30, tzinfo=timezone.utc)
HISTORY = [
    {"status": "TESTING_COMPLETE", "at": "2026-03-01T08:00:00Z"},
    {"status": "REPORTS_APPROVED", "at": "2026-04-01T00:30:00+02:00"},
]


@pytest.fixture
def ledger():
    with Ledger.in_memory() as opened:
        yield opened


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({**CHANGED, "approved_at": "2026-03-31T22:30:00Z"}, APPROVED),
        ({**CHANGED, "status_history": HISTORY}, APPROVED),
        ({**CHANGED, "status_history": HISTORY[:1]}, datetime(2026, 4, 2, 8, tzinfo=timezone.utc)),
        (CHANGED, datetime(2026, 4, 2, 8, tzinfo=timezone.utc)),
        ({"updated_at": "2026-04-02T08:00:00"}, datetime(2026, 4, 2, 8, tzinfo=timezone.utc)),
    ],
)
def test_the_time_of_approval(ledger, fields, expected):
    assert InvoiceState(ledger, "SR-1").approved_at(order(**fields)) == expected


@pytest.mark.parametrize(("fields", "code"), [({}, "APPROVAL_UNKNOWN"), ({"approved_at": "last week"}, "NOT_A_TIME")])
def test_no_time_of_approval_is_no_guess(ledger, fields, code):
    with pytest.raises(DataError) as raised:
        InvoiceState(ledger, "SR-1").approved_at(order(**fields))
    assert raised.value.code == code


def test_what_was_said_first_counts(ledger):
    InvoiceState(ledger, "SR-1").approved_at(order(approved_at="2026-03-31T22:30:00Z"))
    assert InvoiceState(ledger, "SR-1").approved_at(order(**CHANGED)) == APPROVED
    InvoiceState(ledger, "SR-2", keep=False).approved_at(order(approved_at="2026-03-31T22:30:00Z"))
    assert InvoiceState(ledger, "SR-2").approved_at(order(**CHANGED)) != APPROVED


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        (["PVTP-001", "PVTP-018"], []),
        ([{"protocol_id": "PVTP-001", "status": "withdrawn"}, "PVTP-018"], ["PVTP-001"]),
        ([{"protocol_id": "PVTP-001", "status": "CANCELLED"}, "PVTP-018"], ["PVTP-001"]),
        (["PVTP-018", "PVTP-044"], ["PVTP-001"]),
        ([], []),
    ],
)
def test_which_of_the_billed_tests_are_withdrawn(protocols, expected):
    assert withdrawn_from(order(protocols), ["PVTP-001", "PVTP-018"]) == expected


def test_since_when_a_test_is_withdrawn(ledger):
    item = {"protocol_id": "PVTP-001", "status": "WITHDRAWN", "withdrawn_at": "2026-03-31T22:30:00Z"}
    assert withdrawn_at(ledger, order([item], **CHANGED), "PVTP-001", keep=True) == APPROVED
    later = order([{**item, "withdrawn_at": "2026-05-01T00:00:00Z"}])
    assert withdrawn_at(ledger, later, "PVTP-001", keep=True) == APPROVED
    removed = withdrawn_at(ledger, order(["PVTP-018"], **CHANGED), "PVTP-044", keep=False)
    assert removed == datetime(2026, 4, 2, 8, tzinfo=timezone.utc)


def test_what_was_asked_for_in_the_beginning_withdraws_nothing_while_no_protocol_is_listed(ledger):
    request = order([], testing={"protocols": ["PVTP-018"]})
    assert withdrawn_from(request, ["PVTP-001", "PVTP-018"]) == []


def test_two_runs_at_a_time_take_nothing_from_each_others_memory(ledger):
    slow, fast = InvoiceState(ledger, "SR-1"), InvoiceState(ledger, "SR-1")
    fast.note(posting={"invoice_id": "INV-1", "total": "119.01"})
    slow.note(written="100.01/19.00/119.01")
    known = InvoiceState(ledger, "SR-1")
    assert (known.posting["invoice_id"], known.written) == ("INV-1", "100.01/19.00/119.01")
