"""Approved service requests become posted invoices in a running ERP, each exactly once and right to the cent."""

from __future__ import annotations

from contextlib import closing

import pytest

from pv_testing.ledger import Ledger
from tests.docs.pages import PROJECT
from tests.integration.billing import SR, Office, outcome, policy


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


def test_the_report_says_how_long_the_posting_took(office):
    at = office(modules=3, protocols=1)
    at.lab.faults("erp", {"route": "POST /api/invoices/*/post", "kind": "delay", "seconds": 0.3})
    (report,) = (report for report in at.bill() if report.operation == "post_invoice")
    assert report.seconds >= 0.3


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
