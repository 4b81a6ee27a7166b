"""Shows that an invoice is posted once in Tryton, and only with the amounts that are to be billed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pv_testing.core.errors import NotFound
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST
from tests.live.tryton_provider.billing import in_books, invoice, line, post
from tests.live.tryton_provider.calls import TODAY, fault, proxied

pytestmark = pytest.mark.live


def test_an_invoice_is_posted_once_and_a_second_time_adopted(connect, books, sr, customer):
    number = invoice(connect(), sr, customer, line("10.00")).external_id
    first, second = (post(connect(), sr, number, "11.90") for _ in range(2))
    assert (first.result.in_effect, second.result.in_effect) == (True, True)
    (there,) = in_books(books, sr)
    assert (there["state"], there["number"]) == ("posted", second.body["number"])
    moves = books.search("account.move", [["origin", "=", f"account.invoice,{number}"]], [])
    assert len(moves) == 1


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("step", ["validate_invoice", "post"])
def test_a_lost_answer_posts_once(tryton, connect, books, sr, customer, kind, step):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        number = invoice(client, sr, customer, line("10.00")).external_id
        proxy.faults(fault(f"account.invoice.{step}", kind))
        assert post(client, sr, number, "11.90").result.in_effect
    assert [each["state"] for each in in_books(books, sr)] == ["posted"]


def test_a_draft_that_people_have_changed_is_not_posted(erp, books, sr, customer):
    number = int(invoice(erp, sr, customer, line("10.00")).external_id)
    (there,) = books.search("account.invoice.line", [["invoice", "=", number]], [])
    books.call("account.invoice.line", "write", [there["id"]], {"quantity": 2})
    assert post(erp, sr, str(number), "11.90").code == "AMOUNTS_DIFFER"
    assert in_books(books, sr)[0]["state"] == "draft"


def test_an_invoice_whose_term_has_passed_waits_for_a_person_who_posts_it_in_tryton(erp, books, sr, customer):
    number = invoice(
        erp, sr, customer, line("10.00"), payment_days=0, invoice_date=TODAY - timedelta(days=1)
    ).external_id
    outcome = post(erp, sr, number, "11.90")
    assert (outcome.code, outcome.result.in_effect) in {("USER_WARNING", False), ("USER_ERROR", False)}
    assert in_books(books, sr)[0]["state"] == "validated"


def test_a_posting_of_nothing_waits_for_a_person(erp, sr):
    assert post(erp, sr, "999999", "1.00").code == "INVOICE_GONE"


def test_invoices_are_read_in_the_projects_words(erp, books, sr, customer):
    number = invoice(erp, sr, customer, line("10.00")).external_id
    assert erp.find_invoice(sr)["status"] == "DRAFT"
    post(erp, sr, number, "11.90")
    record = erp.get_invoice(number)
    assert (record["status"], record["reference"], record["customer_id"]) == ("POSTED", sr, customer)
    assert (record["subtotal"], record["tax"], record["total"], record["currency"]) == ("10.00", "1.90", "11.90", "EUR")
    assert record["due_date"] == (TODAY + timedelta(days=14)).isoformat()
    assert record["number"]
    assert [each["reference"] for each in erp.list("get_invoices", reference=sr, status="POSTED")] == [sr]
    assert erp.list("get_invoices", reference=sr, status="DRAFT", customer_id=customer) == []
    with pytest.raises(NotFound):
        erp.get_invoice("999999")
    with pytest.raises(NotFound):
        erp.get_invoice("no number of Tryton's")
