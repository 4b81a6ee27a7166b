"""A withdrawn test is given back once, or never billed; what is added after the invoice waits for a person."""

from __future__ import annotations

from decimal import Decimal

from pv_testing.ledger import Claim
from tests.integration.billing import SR, outcome, policy


def test_a_withdrawn_test_that_was_billed_is_given_back_once(office):
    at = office(modules=3, protocols=2)
    at.bill()
    at.lab.withdraw(1, "PVTP-001")
    at.lab.faults("erp", {"route": "POST /api/credit-notes", "kind": "drop_after", "times": 1})
    for report in at.credit():
        report.raise_for_waiting()
    (note,) = at.documents("credit_notes")
    assert (note["external_id"], note["invoice_id"]) == (f"{SR}/PVTP-001", "INV-000001")
    assert (note["subtotal"], note["tax"], note["total"]) == ("100.01", "19.00", "119.01")
    at.rules = policy({"PVTP-001": "99.00", "PVTP-002": "99.00"})
    before = len(at.writes())
    assert outcome(at.credit(), "create_credit_note", f"{SR}/PVTP-001").result.value == "unchanged"
    assert outcome(at.bill(), "create_invoice").result.value == "unchanged"
    assert len(at.writes()) == before
    assert len(at.documents("credit_notes")) == 1
    assert Decimal(at.invoices()[0]["total"]) == Decimal("2618.01")


def test_a_test_that_is_taken_out_of_the_request_is_withdrawn_and_one_that_is_added_waits_until_it_is_billed(office):
    at = office(modules=3, protocols=2)
    at.bill()
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-002", "PVTP-003"]})
    given_back, later = at.credit()
    assert given_back.external_ids() == {f"{SR}/PVTP-001": "CRN-000001"}
    (waits,) = later.outcomes
    assert (waits.key, waits.code) == (f"{SR}/PVTP-003/3", "ADDED_AFTER_INVOICE")
    assert at.due("erp/credits") == [1]
    at.ledger.confirm("erp", "invoice", waits.key, "INV-000007", owner="ada")
    (given_back,) = at.credit()
    given_back.raise_for_waiting()
    assert (at.due("erp/credits"), at.ledger.waiting()) == ([], [])
    at.framework.update_service_request(1, testing={"protocols": ["PVTP-001", "PVTP-002", "PVTP-003"]})
    assert outcome(at.credit(), "create_invoice", f"{SR}/PVTP-001/3").code == "ADDED_AFTER_INVOICE"


def test_a_module_that_is_announced_after_the_invoice_waits_until_it_is_billed(office):
    at = office(modules=3, protocols=1)
    at.bill()
    assert (at.credit()[0].total(), at.due("erp/credits")) == (0, [])
    at.announce(4, "2027-01-01T00:00:00Z")
    assert at.due("erp/credits") == [1]
    waits = outcome(at.credit(), "create_invoice", f"{SR}/PVTP-001/4")
    assert (waits.result.value, waits.code) == ("quarantined", "QUANTITY_CHANGED")
    assert at.due("erp/credits") == [1]
    at.ledger.confirm("erp", "invoice", waits.key, "INV-000007", owner="ada")
    assert (at.credit()[0].total(), at.due("erp/credits")) == (0, [])


def test_a_withdrawal_whose_time_cannot_be_read_stops_no_other_credit_note(office):
    at = office(requests=2, modules=2, protocols=2)
    at.lab.know_customer("Helios Module Works")
    at.bill()
    for sr_id in (1, 2):
        at.lab.withdraw(sr_id, "PVTP-001")
    at.in_framework("UPDATE withdrawals SET at = 'soon' WHERE sr_id = 1")
    reports = at.credit()
    waits = outcome(reports, "create_credit_note", f"{SR}/PVTP-001")
    assert (waits.result.value, waits.code) == ("quarantined", "NOT_A_TIME")
    assert outcome(reports, "create_credit_note", "SR-2025-0002/PVTP-001").result.value == "created"


def test_a_credit_note_that_waits_is_seen_again_whatever_the_number_of_its_request_looks_like(office):
    at = office(modules=2, protocols=2)
    at.in_framework("UPDATE service_requests SET sr_number = 'SR/2025/1'")
    at.bill()
    at.lab.withdraw(1, "PVTP-001")
    at.lab.faults("erp", {"route": "POST /api/credit-notes", "kind": "error", "status": 422, "times": 1})
    assert outcome(at.credit(), "create_credit_note", "SR%2F2025%2F1/PVTP-001").result.value == "rejected"
    assert at.due("erp/credits") == [1]


def test_a_test_that_is_withdrawn_before_the_invoice_isnt_billed(office):
    at = office(modules=3, protocols=2)
    at.lab.withdraw(1, "PVTP-002")
    reports = at.bill()
    assert [line["protocol_id"] for line in at.invoices()[0]["line_items"]] == ["PVTP-001"]
    assert outcome(reports, "post_invoice").code == "QUANTITY_MISMATCH"
    assert at.credit()[0].total() == 0


def test_a_request_of_which_everything_was_withdrawn_needs_no_invoice(office):
    at = office(modules=3, protocols=1)
    at.lab.withdraw(1, "PVTP-001")
    invoices, postings = at.bill()
    assert (invoices.total(), postings.total()) == (0, 0)
    assert invoices.notes == [f"{SR}: every test was withdrawn; there is nothing to bill"]


def test_an_invoice_that_waited_waits_no_more_once_every_test_is_withdrawn(office):
    at = office(policy({}), modules=3, protocols=1)
    assert outcome(at.bill(), "create_invoice").code == "PRICE_MISSING"
    at.lab.withdraw(1, "PVTP-001")
    at.bill(dry_run=True)
    assert [entry.code for entry in at.ledger.waiting()] == ["PRICE_MISSING"]
    at.bill()
    assert (at.ledger.waiting(), at.due("erp/invoices")) == ([], [])


def test_an_invoice_that_may_have_been_made_waits_although_every_test_is_withdrawn(office):
    at = office(modules=3, protocols=1)
    at.ledger.claim("erp", "invoice", [Claim(SR, "sent")], owner="killed", lease=-1.0)
    at.lab.withdraw(1, "PVTP-001")
    assert outcome(at.bill(), "create_invoice").code == "NOTHING_TO_BILL"
    at.credit()
    assert (at.due("erp/invoices"), at.due("erp/credits")) == ([1], [1])
    at.ledger.release("erp", "invoice", [SR], owner="ada", absent=True)
    at.bill()
    at.credit()
    assert (at.ledger.waiting(), at.due("erp/invoices"), at.due("erp/credits")) == ([], [], [])


def test_a_request_of_which_everything_was_withdrawn_is_done_with(office):
    at = office(modules=3, protocols=1)
    at.lab.withdraw(1, "PVTP-001")
    at.bill()
    at.credit()
    assert (at.due("erp/invoices"), at.due("erp/credits")) == ([], [])
    at.in_framework("DELETE FROM withdrawals")
    at.in_framework("UPDATE service_requests SET updated_at = '2027-01-01T00:00:00Z'")
    assert (at.due("erp/invoices"), at.due("erp/credits")) == ([1], [1])


def test_an_invoice_of_another_request_is_no_test_of_this_one(office):
    at = office(modules=2, protocols=2, requests=2)
    at.in_framework("UPDATE service_requests SET sr_number = 'SR-1' WHERE id = 1")
    at.in_framework("UPDATE service_requests SET sr_number = 'SR-1/PVTP-001' WHERE id = 2")
    at.in_framework("UPDATE service_requests SET customer = (SELECT customer FROM service_requests WHERE id = 1)")
    for report in at.bill():
        report.raise_for_waiting()
    at.lab.withdraw(1, "PVTP-001")
    assert outcome(at.credit(), "create_credit_note", "SR-1/PVTP-001").result.value == "created"
    assert {each["reference"] for each in at.invoices()} == {"SR-1", "SR-1/PVTP-001"}
    assert len(at.documents("credit_notes")) == 1
    assert at.ledger.waiting() == []
