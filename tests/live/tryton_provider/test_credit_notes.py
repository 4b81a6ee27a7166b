"""Shows that a line is given back once in Tryton, and never more than was billed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pv_testing.core.records import Outcome, Result
from pv_testing.integrations import ERPClient
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry
from tests.live.tryton_provider.billing import in_books, invoice, line, post
from tests.live.tryton_provider.calls import TODAY, fault, proxied

pytestmark = pytest.mark.live


def credit(client: ERPClient, sr: str, customer: str, number: str, *, quantity: str = "1", **other: Any) -> Outcome:
    known = {
        "customer_id": customer,
        "invoice_id": number,
        "invoice_date": TODAY.isoformat(),
        "currency": "EUR",
        "reason": "PVTP-018 was withdrawn",
        "line_items": [{"protocol_id": "PVTP-018", "quantity": quantity, "unit_price": "10.00", "description": "x"}],
        "total": str(Decimal("11.90") * Decimal(quantity)),
    }
    return carry(client, "create_credit_note", f"{sr}/PVTP-018", **{**known, **other})


@pytest.fixture
def billed(erp: ERPClient, sr: str, customer: str) -> str:
    """The id of a posted invoice of two lines."""
    number = invoice(erp, sr, customer, line("350.00", 12), line("10.00", 2, "PVTP-018")).external_id
    assert post(erp, sr, number, "5021.80").result.in_effect
    return number


def test_a_credit_note_gives_back_a_line_of_the_invoice(connect, books, sr, customer, billed):
    first, second = (credit(connect(), sr, customer, billed) for _ in range(2))
    assert (first.result, second.result) == (Result.CREATED, Result.ADOPTED)
    (there,) = in_books(books, f"{sr}/PVTP-018")
    assert (there["state"], there["total_amount"]) == ("posted", Decimal("-11.90"))
    (given,) = books.search("account.invoice.line", [["invoice", "=", there["id"]]], ["origin", "quantity"])
    origin = int(given["origin"].rpartition(",")[2])
    (origin,) = books.search("account.invoice.line", [["id", "=", origin]], ["invoice", "product.code"])
    assert (str(origin["invoice"]), origin["product."]["code"]) == (billed, "PVTP-018")
    assert (first.body["total"], first.body["status"]) == ("11.90", "POSTED")


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("step", ["create", "validate_invoice", "post"])
def test_a_lost_answer_gives_back_once(tryton, connect, books, sr, customer, billed, kind, step):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        proxy.faults(fault(f"account.invoice.{step}", kind))
        assert credit(client, sr, customer, billed).result.in_effect
    assert [each["state"] for each in in_books(books, f"{sr}/PVTP-018")] == ["posted"]


def test_no_more_is_given_back_than_was_billed(erp, books, sr, customer, billed):
    assert credit(erp, sr, customer, billed, quantity="3").code == "CREDIT_TOO_HIGH"
    assert credit(erp, sr, customer, billed, quantity="2").result is Result.CREATED
    data = {"line_items": [{"protocol_id": "PVTP-018", "quantity": "1", "unit_price": "10.00"}], "total": "11.90"}
    known = {"customer_id": customer, "invoice_id": billed, "invoice_date": TODAY.isoformat(), "currency": "EUR"}
    again = carry(erp, "create_credit_note", f"{sr}/again", reason="x", **known, **data)
    assert (again.code, in_books(books, f"{sr}/again")) == ("CREDIT_TOO_HIGH", [])


def test_what_people_have_given_back_is_not_given_back_again(erp, books, sr, customer, billed):
    context = {
        **books.context,
        "active_model": "account.invoice",
        "active_id": int(billed),
        "active_ids": [int(billed)],
    }
    session, begin, _ = books.rpc("wizard.account.invoice.credit.create", context)
    books.rpc("wizard.account.invoice.credit.execute", session, {begin: {"with_refund": False}}, "credit", context)
    assert credit(erp, sr, customer, billed).code == "CREDIT_TOO_HIGH"
    assert in_books(books, f"{sr}/PVTP-018") == []


def test_a_credit_note_that_comes_to_something_else_stays_a_draft(erp, books, sr, customer, billed):
    assert credit(erp, sr, customer, billed, total="11.91").code == "AMOUNTS_DIFFER"
    assert [each["state"] for each in in_books(books, f"{sr}/PVTP-018")] == ["draft"]
    assert credit(erp, sr, customer, billed, total="11.90").result.in_effect
    assert [each["state"] for each in in_books(books, f"{sr}/PVTP-018")] == ["posted"]


def test_a_draft_is_not_given_back(erp, books, sr, customer):
    number = invoice(erp, sr, customer, line("10.00", 1, "PVTP-018")).external_id
    assert credit(erp, sr, customer, number).code == "INVOICE_NOT_POSTED"
    assert in_books(books, f"{sr}/PVTP-018") == []
