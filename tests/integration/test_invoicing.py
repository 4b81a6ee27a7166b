"""Approved service requests become posted invoices in a running ERP, each exactly once and right to the cent."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from decimal import Decimal

import pytest

from pv_testing.core.errors import ExchangeIncomplete, NotFound
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Claim, Ledger
from tests.docs.pages import PROJECT
from tests.integration.billing import CUSTOMER, Office, offices, outcome, policy

SR = "SR-2025-0001"


@pytest.fixture
def office(tmp_path):
    """Return a function that starts a laboratory whose reports are approved and gives its office."""
    with offices(tmp_path) as start:
        yield start


def test_an_approved_request_becomes_a_posted_invoice(office):
    at = office(modules=3, protocols=1)
    for report in at.bill():
        report.raise_for_waiting()
    (invoice,) = at.invoices()
    assert (invoice["external_id"], invoice["status"], invoice["customer_id"]) == (SR, "POSTED", "CUST-000001")
    assert [line["total"] for line in invoice["line_items"]] == ["100.01"]
    assert (invoice["subtotal"], invoice["tax"], invoice["total"]) == ("100.01", "19.00", "119.01")
    assert invoice["po_number"] == "PO-SPI-2025-0078"


@pytest.mark.parametrize(
    ("prices", "modules", "sums"),
    [
        ({"PVTP-001": "33.335", "PVTP-002": "33.335"}, 3, ("200.02", "38.00", "238.02")),
        ({"PVTP-001": "3600.00", "PVTP-002": "700.00"}, 1, ("4300.00", "817.00", "5117.00")),
        ({"PVTP-001": "0.005", "PVTP-002": "0.015"}, 1, ("0.03", "0.01", "0.04")),
    ],
)
def test_rounding_traps(office, prices, modules, sums):
    at = office(policy(prices), modules=modules, protocols=2)
    at.bill()
    (invoice,) = at.invoices()
    assert invoice["status"] == "POSTED"
    assert (invoice["subtotal"], invoice["tax"], invoice["total"]) == sums


def test_a_second_run_writes_nothing_and_asks_little(office):
    at = office()
    at.bill()
    before, seen = len(at.writes()), len(at.lab.requests("erp"))
    reports = at.bill()
    assert {name for report in reports for name, n in report.counts().items() if n} == {"unchanged"}
    assert len(at.writes()) == before
    assert len(at.lab.requests("erp")) - seen <= 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after"},
        {"kind": "truncate"},
        {"kind": "html"},
        {"kind": "drop_before"},
        {"kind": "error", "when": "before"},
        {"kind": "error", "when": "after"},
    ],
    ids=lambda fault: "_".join(fault.values()),
)
@pytest.mark.parametrize("route", ["POST /api/invoices", "POST /api/invoices/*/post"])
def test_lost_and_garbled_answers_do_no_harm(office, fault, route):
    at = office(requests=2, modules=2, protocols=1)
    at.lab.know_customer("Helios Module Works")
    at.lab.faults("erp", {"route": route, "times": 2, **fault})
    for report in at.bill():
        report.raise_for_waiting()
    assert [fault["hits"] for fault in at.lab.fault_report("erp")] == [2]
    assert [invoice["status"] for invoice in at.invoices()] == ["POSTED", "POSTED"]
    assert [invoice["total"] for invoice in at.invoices()] == ["79.34", "79.34"]
    assert not [each for table in at.lab.control("erp", "GET", "counts").values() for each in table["duplicates"]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_may_have_been_posted_is_settled_before_anything_of_it_changes(office, tmp_path, when):
    contract = tmp_path / "erp_brisk.yaml"
    brisk = (PROJECT / "include" / "mappings" / "erp_custom.yaml").read_text()
    brisk = brisk.replace("attempt_timeout: 30", "attempt_timeout: 3").replace("total_timeout: 120", "total_timeout: 4")
    contract.write_text(brisk.replace("horizon: 2", "horizon: 1"))
    at = office(modules=3, protocols=1, settings={"contract": str(contract)})
    at.lab.faults("erp", {"route": "POST /api/invoices/*/post", "kind": "delay", "seconds": 2.5, "when": when})
    at.bill_and_die(2.0)
    at.lab.faults("erp")
    at.rules = policy({"PVTP-001": "99.00"})
    for report in at.bill():
        report.raise_for_waiting()
    (invoice,) = at.invoices()
    assert (invoice["status"], invoice["total"]) == ("POSTED", "119.01")


def test_fewer_tested_than_ordered_stays_a_draft_until_a_person_posts_it(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.75)
    at.approve()
    reports = at.bill()
    waits = outcome(reports, "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "QUANTITY_MISMATCH")
    assert "4 modules ordered, 3 tested, 4 billed" in waits.reason
    with pytest.raises(ExchangeIncomplete):
        reports[1].raise_for_waiting()
    assert [invoice["status"] for invoice in at.invoices()] == ["DRAFT"]
    assert outcome(at.bill(replay=True), "post_invoice").code == "QUANTITY_MISMATCH"
    assert [entry.kind for entry in at.ledger.waiting()] == ["invoice_posting"]

    at.post_by_hand()
    adopted = outcome(at.bill(), "post_invoice")
    assert (adopted.result.value, adopted.external_id) == ("adopted", "INV-000001")
    assert at.ledger.waiting() == []
    assert outcome(at.bill(), "post_invoice").result.value == "unchanged"


def test_a_mismatch_that_is_gone_lets_the_draft_be_posted(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.75)
    at.approve()
    at.bill()
    at.lab.run_executions(sr_id)
    for report in at.bill():
        report.raise_for_waiting()
    assert [invoice["status"] for invoice in at.invoices()] == ["POSTED"]


def test_a_draft_that_a_person_corrects_and_posts_is_adopted_as_it_is(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.75)
    at.approve()
    at.bill()
    at.correct_by_hand("3", "100.01")
    edited = outcome(at.bill(), "post_invoice")
    assert edited.code == "DRAFT_EDITED"
    assert at.invoices()[0]["total"] == "119.01"
    at.post_by_hand()
    assert outcome(at.bill(), "post_invoice").result.value == "adopted"
    assert (at.invoices()[0]["status"], at.invoices()[0]["total"]) == ("POSTED", "119.01")
    at.lab.withdraw(sr_id, "PVTP-001")
    refused = outcome(at.credit(), "create_credit_note", f"{SR}/PVTP-001")
    assert (refused.result.value, refused.code) == ("quarantined", "INVOICE_CHANGED")


def test_a_person_who_has_posted_the_draft_may_say_so(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    (sr_id,) = at.ids()
    at.lab.run_executions(sr_id, fraction=0.75)
    at.approve()
    at.bill()
    at.ledger.confirm("erp", "invoice_posting", SR, "INV-000001", owner="ada")
    waits = outcome(at.bill(), "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "NOT_POSTED")
    assert waits.reason == "a person has confirmed that invoice INV-000001 is posted, but in the ERP it is draft"
    assert at.due("erp/invoices") == [1]
    assert outcome(at.bill(), "post_invoice").code == "QUANTITY_MISMATCH"
    at.post_by_hand()
    at.ledger.confirm("erp", "invoice_posting", SR, "INV-000001", owner="ada")
    reports = at.bill()
    assert {name for report in reports for name, n in report.counts().items() if n} == {"unchanged"}
    (note,) = (note for report in reports for note in report.notes)
    assert note.startswith(f"{SR}: invoice INV-000001 is unpaid, due ")
    assert (at.due("erp/invoices"), at.ledger.waiting()) == ([], [])


def test_a_person_who_has_confirmed_another_invoice_may_correct_that(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    at.approve()
    at.bill()
    at.post_by_hand()
    at.ledger.confirm("erp", "invoice_posting", SR, "INV-999999", owner="ada")
    assert outcome(at.bill(), "post_invoice").code == "NOT_POSTED"
    assert outcome(at.bill(), "post_invoice").code == "INVOICE_MISSING"
    at.ledger.confirm("erp", "invoice_posting", SR, "INV-000001", owner="ada")
    for report in at.bill():
        report.raise_for_waiting()
    assert (at.due("erp/invoices"), at.ledger.waiting()) == ([], [])


@pytest.mark.parametrize("times", [1, 2])
def test_nobody_is_blamed_where_the_erp_denies_what_was_just_posted(office, monkeypatch, times):
    at = office(modules=3, protocols=1)
    seen, look = [], ERPClient.ainvoice

    async def denied(self, invoice_id):
        seen.append(invoice_id)
        if 1 < len(seen) <= 1 + times:
            raise NotFound("there is no such invoice")
        return await look(self, invoice_id)

    monkeypatch.setattr(ERPClient, "ainvoice", denied)
    (report,) = (report for report in at.bill() if report.operation == "post_invoice")
    (waits,) = report.outcomes
    assert (waits.result.value, waits.code) == ("deferred", "NOT_POSTED")
    assert waits.reason == "invoice INV-000001 was posted, but in the ERP it is missing right after; see the next run"
    assert report.counts()["deferred"] == report.total() == 1
    assert at.due("erp/invoices") == [1]
    if times == 2:
        waits = outcome(at.bill(), "post_invoice")
        assert (waits.result.value, waits.code) == ("quarantined", "NOT_POSTED")
        assert waits.reason == "the ledger says that invoice INV-000001 is posted, but in the ERP it is missing"
    assert outcome(at.bill(), "post_invoice").result.in_effect
    assert (at.due("erp/invoices"), at.ledger.waiting()) == ([], [])
    assert [invoice["status"] for invoice in at.invoices()] == ["POSTED"]


def test_the_report_says_how_long_the_posting_took(office):
    at = office(modules=3, protocols=1)
    at.lab.faults("erp", {"route": "POST /api/invoices/*/post", "kind": "delay", "seconds": 0.3})
    (report,) = (report for report in at.bill() if report.operation == "post_invoice")
    assert report.seconds >= 0.3


def test_what_the_erp_computes_otherwise_stays_a_draft(office, tmp_path):
    taxless = (PROJECT / "include" / "mappings" / "erp_custom.yaml").read_text()
    for line in ("tax_rate: {type: decimal, required: false}", "tax: {type: decimal, required: false}"):
        taxless = taxless.replace(f"    {line}\n", "", 1)
    taxless = taxless.replace("    total: {type: decimal, required: false}\n", "", 1)
    (tmp_path / "erp_taxless.yaml").write_text(taxless)
    at = office(modules=3, protocols=1, settings={"contract": str(tmp_path / "erp_taxless.yaml")})
    waits = outcome(at.bill(), "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "AMOUNTS_DIFFER")
    assert "tax: ours is 19.00 EUR, the ERP's 0.00 EUR, 19.00 less" in waits.reason
    assert [(invoice["status"], invoice["total"]) for invoice in at.invoices()] == [("DRAFT", "100.01")]


def test_a_cancelled_draft_is_made_anew_by_a_person(office):
    at = office(state="new", approved=False, modules=4, protocols=1)
    at.approve()
    at.bill()
    at.lab.cancel("INV-000001")
    waits = outcome(at.bill(), "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "INVOICE_CANCELLED")
    (cancelled,) = at.invoices()
    names = ("customer_id", "invoice_date", "due_date", "reference", "currency", "line_items", "tax_rate")
    at.by_hand("POST", "invoices", {name: cancelled[name] for name in names})
    at.by_hand("POST", "invoices/INV-000002/post", {"total": cancelled["total"]})
    at.ledger.confirm("erp", "invoice_posting", SR, "INV-000002", owner="ada")
    assert outcome(at.bill(), "post_invoice").result.value == "unchanged"
    assert at.ledger.waiting() == []


def test_a_status_that_nobody_knows_is_one_requests_trouble(office, tmp_path):
    strange = (PROJECT / "include" / "mappings" / "erp_custom.yaml").read_text()
    strange = strange.replace("{DRAFT: DRAFT, POSTED: POSTED", "{DRAFT: OPEN, POSTED: POSTED")
    (tmp_path / "erp_strange.yaml").write_text(strange)
    at = office(modules=3, protocols=1, settings={"contract": str(tmp_path / "erp_strange.yaml")})
    waits = outcome(at.bill(), "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "STATUS_UNKNOWN")
    assert "'DRAFT'" in waits.reason


def test_an_erp_that_takes_another_currency_gets_nothing_posted(office, tmp_path):
    deaf = (PROJECT / "include" / "mappings" / "erp_custom.yaml").read_text()
    deaf = deaf.replace("    currency: {required: false}\n", "", 1)
    (tmp_path / "erp_deaf.yaml").write_text(deaf)
    at = office(policy(currency="USD"), modules=3, protocols=1, settings={"contract": str(tmp_path / "erp_deaf.yaml")})
    waits = outcome(at.bill(), "post_invoice")
    assert (waits.result.value, waits.code) == ("quarantined", "AMOUNTS_DIFFER")
    assert "currency: ours is USD, the ERP's EUR" in waits.reason
    assert [(invoice["status"], invoice["currency"]) for invoice in at.invoices()] == [("DRAFT", "EUR")]


def test_a_posting_that_was_refused_is_adopted_once_a_person_has_posted_it(office):
    at = office(modules=3, protocols=1)
    at.lab.faults("erp", {"route": "POST /api/invoices/*/post", "kind": "error", "status": 422, "times": 1})
    assert outcome(at.bill(), "post_invoice").result.value == "rejected"
    assert outcome(at.bill(), "post_invoice").result.value == "rejected"
    at.post_by_hand()
    assert outcome(at.bill(), "post_invoice").result.value == "adopted"
    assert at.ledger.waiting() == []


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


def test_what_isnt_approved_yet_is_only_noted_and_what_is_closed_already_is_billed(office):
    at = office(approved=False, requests=1)
    invoices, *_ = at.bill()
    assert (invoices.total(), invoices.notes) == (0, [f"{SR}: not approved yet"])
    at.lab.advance(1, "CLOSED")
    at.bill()
    assert [invoice["status"] for invoice in at.invoices()] == ["POSTED"]


def test_a_dry_run_changes_nothing_anywhere(office):
    at = office(policy(create_customers=True), known=False)
    reports = at.bill(dry_run=True)
    planned = {report.operation: report.counts() for report in reports}
    assert {name: counts["created"] for name, counts in planned.items()} == {
        "create_invoice": 1,
        "post_invoice": 0,
        "create_customer": 1,
    }
    assert planned["post_invoice"]["updated"] == 1, "a posting changes the invoice that is there"
    assert at.credit(dry_run=True)[0].total() == 0
    assert at.writes() == []
    assert at.ledger.verify().count == 0
    assert at.ledger.watermark(f"erp/invoice/{SR}") is None


def test_an_invoice_that_was_entered_by_hand_under_the_number_is_found_before_a_second_one_is_made(office):
    at = office(modules=3, protocols=1)
    at.bill()
    at.ledger.close()
    with Ledger.in_memory() as fresh, closing(Office(at.lab, fresh, at.rules)) as later:
        assert outcome(later.bill(), "create_invoice").result.value == "adopted"
        assert outcome(later.bill(), "post_invoice").result.value == "unchanged"
        assert len(later.invoices()) == 1


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


def test_payment_is_read_back(office):
    at = office()
    assert any("INV-000001 is unpaid, due " in note for report in at.bill() for note in report.notes)
    at.lab.pay("INV-000001")
    assert [note for report in at.bill() for note in report.notes] == [f"{SR}: invoice INV-000001 is paid"]
    assert [note for report in at.bill() for note in report.notes] == []
    assert at.erp.get_invoice_status("INV-000001") == "PAID"


@pytest.mark.parametrize(
    ("strange", "what"),
    [
        ("status = 'DISPUTED'", "unknown invoice_status 'DISPUTED'"),
        ("body = json_set(body, '$.total', 'much')", "'much' is no amount"),
    ],
)
def test_an_invoice_that_cannot_be_understood_hides_no_other_payment(office, strange, what):
    at = office(requests=3, modules=2, protocols=1)
    for name in ("Helios Module Works", "Fjord Energy"):
        at.lab.know_customer(name)
    at.bill()
    at.in_erp(f"UPDATE invoices SET {strange} WHERE number = 1")
    at.lab.pay("INV-000002")
    numbers = {invoice["id"]: invoice["external_id"] for invoice in at.invoices()}
    unread, paid, unpaid = at.bill()[1].notes
    assert unread.startswith(f"{numbers['INV-000001']}: whether invoice INV-000001 is paid couldn't be read: {what}")
    assert paid == f"{numbers['INV-000002']}: invoice INV-000002 is paid"
    assert unpaid.startswith(f"{numbers['INV-000003']}: invoice INV-000003 is unpaid, due ")
    assert [note[:40] for note in at.bill()[1].notes] == [unread[:40], unpaid[:40]]
    at.in_erp("UPDATE invoices SET status = 'PAID', body = json_set(body, '$.total', '79.34') WHERE number = 1")
    assert at.bill()[1].notes[0] == f"{numbers['INV-000001']}: invoice INV-000001 is paid"


def test_the_sweep_leaves_out_what_it_is_done_with(office):
    at = office(requests=2, modules=2, protocols=1)
    assert at.due("erp/invoices") == [1, 2]
    at.bill()
    assert at.due("erp/invoices") == [2]
    at.lab.know_customer("Helios Module Works")
    at.bill()
    assert at.due("erp/invoices") == []
    at.lab.withdraw(1, "PVTP-001")
    assert at.due("erp/invoices") == [1]


def test_what_waits_is_taken_however_old_its_closed_request_is(office):
    at = office(requests=2, modules=2, protocols=1)
    at.bill()
    assert at.due("erp/invoices") == [2]
    at.lab.advance(2, "CLOSED")
    at.in_framework("UPDATE service_requests SET created_at = '2020-01-01T00:00:00Z'")
    assert at.due("erp/invoices") == [2]
    at.lab.know_customer("Helios Module Works")
    at.bill(ids=[2])
    assert at.due("erp/invoices") == []


def test_a_request_of_which_everything_was_withdrawn_is_done_with(office):
    at = office(modules=3, protocols=1)
    at.lab.withdraw(1, "PVTP-001")
    at.bill()
    at.credit()
    assert (at.due("erp/invoices"), at.due("erp/credits")) == ([], [])
    at.in_framework("DELETE FROM withdrawals")
    at.in_framework("UPDATE service_requests SET updated_at = '2027-01-01T00:00:00Z'")
    assert (at.due("erp/invoices"), at.due("erp/credits")) == ([1], [1])


def test_the_e_invoice_is_written_where_it_is_wanted(office, tmp_path, monkeypatch):
    from pv_testing.billing.einvoice import validate

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    at = office(policy(e_invoice_folder="bills", customers={}), modules=3, protocols=2)
    refused = outcome(at.bill(), "write_e_invoice")
    assert (refused.result.value, refused.code) == ("quarantined", "EINVOICE_REFUSED")
    assert at.invoices()[0]["status"] == "POSTED"
    at.rules = policy(e_invoice_folder="bills")
    written = outcome(at.bill(), "write_e_invoice")
    file = tmp_path / "bills" / f"{SR}.xml"
    assert (written.result.value, written.external_id) == ("created", str(file))
    validate(file.read_bytes())
    assert b"INV-000001" in file.read_bytes()
    assert outcome(at.bill(), "write_e_invoice").result.value == "unchanged"
    at.lab.withdraw(1, "PVTP-001")
    assert outcome(at.credit(), "write_e_invoice", f"{SR}/PVTP-001").result.value == "created"
    validate((tmp_path / "bills" / f"{SR}-PVTP-001.xml").read_bytes())


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
