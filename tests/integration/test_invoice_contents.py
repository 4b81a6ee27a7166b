"""An invoice has the prices, the date and the customer of the approval; one that lacks any of them waits."""

from __future__ import annotations

import json
from datetime import datetime

from tests.integration.billing import CUSTOMER, SR, outcome, policy


def test_a_new_price_changes_a_draft_but_no_posted_invoice(office):
    at = office(state="new", approved=False, modules=2, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.5)
    at.approve()
    at.bill()
    at.rules = policy({"PVTP-001": "40.00"})
    assert outcome(at.bill(), "create_invoice").result.value == "updated"
    assert at.invoices()[0]["subtotal"] == "80.00"
    at.lab.run_executions(sr_id)
    at.bill()
    assert at.invoices()[0]["status"] == "POSTED"
    at.rules = policy({"PVTP-001": "50.00"})
    reports = at.bill(replay=True)
    assert {name for report in reports for name, n in report.counts().items() if n} == {"unchanged"}
    assert at.invoices()[0]["subtotal"] == "80.00"


def test_the_date_is_that_of_the_approval_whatever_happens_later(office):
    at = office(modules=2, protocols=1, state="new", approved=False)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id)
    at.approve()
    at.rules = policy({})
    assert outcome(at.bill(), "create_invoice").code == "PRICE_MISSING"
    known = at.ledger.watermark(f"erp/invoice/{SR}")
    at.lab.advance(sr_id, "CLOSED")
    at.rules = policy()
    at.bill()
    assert known is not None
    approved = datetime.fromisoformat(json.loads(known)["approved_at"].replace("Z", "+00:00"))
    (invoice,) = at.invoices()
    assert invoice["invoice_date"] == approved.astimezone(at.zone).date().isoformat()
    assert at.framework.get_service_request(sr_id)["updated_at"] > json.loads(known)["approved_at"]
    assert json.loads(at.ledger.watermark(f"erp/invoice/{SR}"))["approved_at"] == json.loads(known)["approved_at"]
    assert invoice["status"] == "POSTED"


def test_a_missing_price_creates_nothing_and_waits(office):
    at = office(policy({"PVTP-001": "33.335"}))
    reports = at.bill()
    waits = outcome(reports, "create_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "PRICE_MISSING")
    assert "PVTP-002" in waits.reason
    assert at.invoices() == []
    at.rules = policy()
    at.bill()
    assert [invoice["status"] for invoice in at.invoices()] == ["POSTED"]
    assert at.ledger.waiting() == []


def test_a_price_that_vanishes_keeps_the_draft_from_being_posted(office):
    at = office(state="new", approved=False, modules=2, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.5)
    at.approve()
    at.bill()
    at.lab.run_executions(sr_id)
    at.rules = policy({})
    assert outcome(at.bill(), "create_invoice").code == "PRICE_MISSING"
    assert at.invoices()[0]["status"] == "DRAFT"


def test_an_unknown_customer_is_held_or_created_as_the_laboratory_wants_it(office):
    at = office(known=False)
    waits = outcome(at.bill(), "create_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "CUSTOMER_UNKNOWN")
    assert at.documents("customers") == []
    at.rules = policy(create_customers=True)
    at.lab.faults("erp", {"route": "POST /api/customers", "kind": "drop_after", "times": 1})
    for report in at.bill():
        report.raise_for_waiting()
    assert [customer["name"] for customer in at.documents("customers")] == [CUSTOMER]
    assert at.documents("customers")[0]["contact_person"] == "Maria Keller"
    assert at.invoices()[0]["customer_id"] == "CUST-000001"


def test_two_customers_of_one_name_are_a_persons_matter(office):
    at = office()
    at.lab.know_customer(CUSTOMER)
    assert outcome(at.bill(), "create_invoice").code == "CUSTOMER_AMBIGUOUS"
    at.rules = policy(customers={CUSTOMER: {"erp_id": "CUST-000002"}})
    at.bill()
    assert at.invoices()[0]["customer_id"] == "CUST-000002"
