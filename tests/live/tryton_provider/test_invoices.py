"""Shows that an invoice becomes one draft in Tryton, right to the cent, or waits for a person."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from pv_testing.billing.differences import differences
from pv_testing.billing.invoice import invoice_record
from pv_testing.core.records import Result
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry
from tests.live.tryton import plan
from tests.live.tryton_provider.billing import bill, in_books, invoice, line, post
from tests.live.tryton_provider.calls import TODAY, fault, proxied

pytestmark = pytest.mark.live


def test_an_invoice_is_a_draft_that_has_what_was_billed(erp, books, sr, customer):
    made = invoice(erp, sr, customer, line("350.00", 12), line("33.33", 3, "PVTP-018"))
    assert made.result is Result.CREATED
    (there,) = in_books(books, sr)
    assert (str(there["id"]), there["state"], there["number"]) == (made.external_id, "draft", None)
    assert (there["untaxed_amount"], there["tax_amount"]) == (Decimal("4299.99"), Decimal("817.00"))
    assert there["payment_term_date"] == TODAY + timedelta(days=14)
    assert (there["description"], there["comment"]) == ("PO-7", "Twelve modules\nas agreed")
    fields = ["product.code", "quantity", "unit_price", "description"]
    lines = books.search("account.invoice.line", [["invoice", "=", there["id"]]], fields)
    assert [(each["product."]["code"], each["quantity"], each["unit_price"]) for each in lines] == [
        ("PVTP-001", 12, Decimal("350.00")),
        ("PVTP-018", 3, Decimal("33.33")),
    ]
    assert made.body["status"] == "DRAFT"
    assert (made.body["subtotal"], made.body["tax"], made.body["total"]) == ("4299.99", "817.00", "5116.99")


def test_nineteen_per_cent_of_4300_are_817_and_both_agree(erp, books, sr, customer):
    wanted = bill(sr, customer, line("4300.00"))
    made = invoice(erp, sr, customer, line("4300.00"))
    assert (made.body["tax"], made.body["total"]) == ("817.00", "5117.00")
    assert differences(wanted, *(made.body[name] for name in ("subtotal", "tax", "total"))) == []
    assert post(erp, sr, made.external_id, "5117.00").body["status"] == "POSTED"


def test_what_tryton_rounds_otherwise_is_shown_and_not_posted(erp, books, sr, customer):
    wanted = bill(sr, customer, line("33.335", 3))
    made = invoice(erp, sr, customer, line("33.335", 3))
    deviations = differences(wanted, *(made.body[name] for name in ("subtotal", "tax", "total")))
    assert deviations == [
        "subtotal: ours is 100.01 EUR, the ERP's 100.00 EUR, 0.01 less",
        "total: ours is 119.01 EUR, the ERP's 119.00 EUR, 0.01 less",
    ]
    outcome = post(erp, sr, made.external_id, "119.01")
    assert (outcome.code, outcome.result.in_effect) == ("AMOUNTS_DIFFER", False)
    assert "Tryton computes 119.00 EUR where 119.01 is to be billed; it stays draft" in outcome.reason
    (there,) = in_books(books, sr)
    assert there["state"] == "draft"


def test_a_tax_that_tryton_has_and_we_have_not_is_shown_and_not_posted(erp, books, sr, customer):
    made = invoice(erp, sr, customer, line("4300.00"), rate="0")
    assert (made.body["tax"], made.body["total"]) == ("817.00", "5117.00")
    assert post(erp, sr, made.external_id, "4300.00").code == "AMOUNTS_DIFFER"
    assert in_books(books, sr)[0]["state"] == "draft"


def test_a_line_without_protocol_and_an_invoice_without_currency_are_billed(erp, books, sr, customer):
    made = erp.create_invoice(
        customer, TODAY, TODAY, sr, [{"description": "Report", "quantity": 1, "unit_price": "10.00"}], tax_rate="19"
    )
    assert (made["currency"], made["total"]) == ("EUR", "11.90")
    (there,) = books.search("account.invoice.line", [["invoice.reference", "=", sr]], ["product.code", "description"])
    assert (there["product."]["code"], there["description"]) == (plan.TEST, "Report")


def test_an_invoice_in_another_currency_stays_in_it(erp, sr, customer):
    assert invoice(erp, sr, customer, currency="USD").body["currency"] == "USD"


def test_an_invoice_that_the_ledger_has_forgotten_is_found_and_not_made_again(connect, books, sr, customer):
    first = invoice(connect(), sr, customer)
    second = invoice(connect(), sr, customer)
    assert (second.result, second.external_id) == (Result.ADOPTED, first.external_id)
    assert len(in_books(books, sr)) == 1


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_makes_no_second_invoice(tryton, connect, books, sr, customer, kind):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        proxy.faults(fault("account.invoice.create", kind))
        made = invoice(client, sr, customer)
    assert made.result.in_effect
    assert [str(each["id"]) for each in in_books(books, sr)] == [made.external_id]


def test_a_changed_invoice_changes_the_draft(erp, books, sr, customer):
    first = invoice(erp, sr, customer, line("350.00", 12))
    second = invoice(erp, sr, customer, line("350.00", 10), line("10.00", 1, "PVTP-018"), po_number="PO-8")
    assert (second.result, second.external_id) == (Result.UPDATED, first.external_id)
    (there,) = in_books(books, sr)
    assert (there["untaxed_amount"], there["description"], len(there["lines"])) == (Decimal("3510.00"), "PO-8", 2)


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_to_a_change_changes_once(tryton, connect, books, sr, customer, kind):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        invoice(client, sr, customer)
        proxy.faults(fault("account.invoice.write", kind))
        assert invoice(client, sr, customer, line("10.00", 2)).result.in_effect
    (there,) = in_books(books, sr)
    assert (there["untaxed_amount"], len(there["lines"])) == (Decimal("20.00"), 1)


def test_a_posted_invoice_is_changed_no_more(erp, books, sr, customer):
    made = invoice(erp, sr, customer, line("10.00"))
    post(erp, sr, made.external_id, "11.90")
    outcome = invoice(erp, sr, customer, line("20.00"))
    assert (outcome.code, outcome.result.in_effect) == ("INVOICE_CLOSED", False)
    assert in_books(books, sr)[0]["untaxed_amount"] == Decimal("10.00")


def test_an_invoice_that_people_have_cancelled_is_not_made_again(connect, books, sr, customer):
    number = int(invoice(connect(), sr, customer).external_id)
    books.call("account.invoice", "cancel", [number])
    assert invoice(connect(), sr, customer).code == "INVOICE_CANCELLED"
    assert len(in_books(books, sr)) == 1


def test_a_reference_that_two_invoices_have_waits_for_a_person(connect, books, sr, customer):
    number = int(invoice(connect(), sr, customer).external_id)
    (copy,) = books.call("account.invoice", "copy", [number])
    books.call("account.invoice", "write", [copy], {"reference": sr})
    assert invoice(connect(), sr, customer).code == "DUPLICATE_IN_SYSTEM"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"customer_id": "no-such"}, "CUSTOMER_UNKNOWN"),
        ({"currency": "CHF"}, "CURRENCY_UNKNOWN"),
        ({"line_items": [{"protocol_id": "PVTP-999", "quantity": "1", "unit_price": "1"}]}, "PRODUCT_UNKNOWN"),
        ({"line_items": [{"protocol_id": "PVTP-001", "quantity": "1", "unit_price": "0.123456"}]}, "USER_ERROR"),
    ],
)
def test_an_invoice_that_tryton_cannot_have_waits_for_a_person(erp, books, sr, customer, data, code):
    record = invoice_record(bill(sr, customer, line("10.00")))
    outcome = carry(erp, "create_invoice", sr, **{**record.data, **data})
    assert (outcome.code, outcome.result.in_effect) == (code, False)
    assert in_books(books, sr) == []
