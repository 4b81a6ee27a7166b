"""The ERP client against a running ERP: amounts keep their digits, every document is there once."""

from __future__ import annotations

from decimal import Decimal

import pytest

import sandbox
from pv_testing.core.errors import Conflict, MappingError, NotFound, Rejected
from pv_testing.integrations import ERPClient
from pv_testing.integrations.erp_records import amount, plain

LINE = {"description": "PVTP-001: STC Power Measurement", "quantity": 3, "unit_price": 33.335, "total": 3 * 33.335}


@pytest.fixture(scope="module")
def lab():
    with sandbox.serve() as served:
        yield served


@pytest.fixture
def erp(lab):
    known = lab.credentials
    with ERPClient(lab.url("erp"), client_id=known.erp_client_id, client_secret=known.erp_client_secret) as client:
        yield client


@pytest.fixture
def bill(lab, erp, request):
    """Return a function that creates an invoice under a reference that no other test uses."""
    customer = lab.know_customer(f"Customer of {request.node.name}")

    def create(*lines, reference="", **terms):
        key = reference or f"SR-{request.node.name}"
        dates = {"invoice_date": "2026-04-01", "due_date": "2026-05-01"}
        return erp.create_invoice(customer, reference=key, line_items=lines or [LINE], **{**dates, **terms})

    return create


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (33.335, "33.335"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (3, "3"),
        ("2.50", "2.50"),
    ],
)
def test_amounts_keep_the_digits_that_were_written(value, text):
    assert plain(amount(value)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, "a lot", "1_000", b"1"])
def test_what_is_no_amount_is_refused(value):
    with pytest.raises(MappingError) as raised:
        amount(value)
    assert raised.value.code == "NOT_A_NUMBER"


def test_an_invoice_is_drafted_posted_and_read_back(erp, bill):
    made = bill(currency="EUR", tax_rate=19, tax=Decimal("19.00"), po_number="PO-1")
    assert bill(currency="EUR", tax_rate=19, po_number="PO-1")["invoice_id"] == made["invoice_id"]
    assert erp.get_invoice_status(made["invoice_id"]) == "DRAFT"
    with pytest.raises(Rejected) as raised:
        erp.post_invoice(made["invoice_id"], "119.00")
    assert raised.value.code == "AMOUNT_MISMATCH"
    assert erp.post_invoice(made["invoice_id"], "119.01")["status"] == "POSTED"
    found = erp.find_invoice(made["external_id"])
    assert (found["status"], found["subtotal"], found["tax"], found["total"]) == ("POSTED", "100.01", "19.00", "119.01")
    assert (found["po_number"], found["due_date"]) == ("PO-1", "2026-05-01")
    assert erp.find_invoice("SR-of-nobody") is None


def test_a_changed_draft_is_changed_and_a_posted_invoice_is_not(erp, bill):
    first = bill()
    again = bill({**LINE, "quantity": 2, "total": 66.67})
    assert again["invoice_id"] == first["invoice_id"]
    assert erp.get_invoice(first["invoice_id"])["total"] == "66.67"
    erp.post_invoice(first["invoice_id"], 66.67)
    with pytest.raises(Rejected) as raised:
        bill({**LINE, "quantity": 1, "total": None})
    assert raised.value.code == "INVALID_TRANSITION"
    assert erp.get_invoice(first["invoice_id"])["total"] == "66.67"


@pytest.mark.parametrize(
    ("lines", "terms", "code"),
    [
        ([{**LINE, "total": 100.03}], {}, "SUM_WRONG"),
        ([LINE], {"tax_rate": "19", "tax": "18.99"}, "SUM_WRONG"),
        ([{**LINE, "unit_price": float("nan")}], {}, "NOT_A_NUMBER"),
        ([{**LINE, "description": ""}], {}, "FIELD_MISSING"),
        ([{"description": "x", "quantity": 1}], {}, "FIELD_MISSING"),
        ([LINE], {"currency": "EURO"}, "CURRENCY_UNKNOWN"),
        ([LINE], {"invoice_date": "1 April"}, "NOT_A_DATE"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(lab, erp, bill, lines, terms, code):
    before = len(lab.requests("erp"))
    with pytest.raises(MappingError) as raised:
        bill(*lines, **terms)
    assert raised.value.code == code
    assert len(lab.requests("erp")) == before
    assert erp.ledger.waiting()[0].code == code


def test_an_invoice_without_a_reference_could_never_be_found_again(erp):
    (outcome,) = erp.create_invoices([{"customer_id": "CUST-000001", "line_items": [LINE]}]).outcomes
    assert (outcome.result.value, outcome.code) == ("quarantined", "FIELD_MISSING")


def test_a_currency_without_cents_is_rounded_to_the_unit(bill):
    with pytest.raises(Rejected) as raised:
        bill({**LINE, "quantity": 1, "unit_price": "100.5", "total": None}, currency="JPY")
    assert "not 101" in raised.value.message


def test_what_was_billed_is_given_back_once(erp, bill):
    made = bill(currency="EUR", tax_rate="19")
    given = {
        "invoice_id": made["invoice_id"],
        "reference": f"{made['external_id']}/PVTP-001",
        "invoice_date": "2026-04-15",
        "line_items": [LINE],
        "reason": "PVTP-001 was withdrawn",
        "currency": "EUR",
        "tax_rate": "19",
    }
    with pytest.raises(Rejected):
        erp.create_credit_note(**given)
    erp.post_invoice(made["invoice_id"], "119.01")
    erp.ledger.release("erp", "credit_note", [given["reference"]])
    note = erp.create_credit_note(**given)
    assert note["total"] == "119.01"
    assert erp.create_credit_note(**given)["id"] == note["id"]


def test_customers_are_found_by_their_name_and_created_once(erp):
    assert erp.find_customer("Nova Solar") is None
    made = erp.create_customer("Nova Solar", email="ap@nova.example")
    assert erp.create_customer("Nova Solar", email="other@nova.example")["id"] == made["id"]
    assert erp.find_customer("Nova Solar")["email"] == "ap@nova.example"
    assert erp.find_customer("Nova") is None


def test_two_customers_of_one_name_are_no_answer(lab, erp):
    lab.know_customer("Twin Solar")
    lab.know_customer("Twin Solar")
    with pytest.raises(Conflict) as raised:
        erp.find_customer("Twin Solar")
    assert raised.value.code == "CUSTOMER_AMBIGUOUS"


def test_an_invoice_that_is_not_there_is_said_so(erp):
    with pytest.raises(NotFound):
        erp.get_invoice("INV-999999")


def test_modules_and_consumables_are_booked_once(lab, erp):
    module = {"sr_number": "SR-1", "serial_number": "SN001", "date": "2026-04-01"}
    received = erp.record_stock_movement(**module, movement="RECEIVED")
    assert erp.record_stock_movement(**module, movement="RECEIVED")["id"] == received["id"]
    report = erp.record_stock_movements([{**module, "movement": word} for word in ("STORED", "RETURNED")])
    assert report.counts()["created"] == 2
    with pytest.raises(MappingError):
        erp.record_stock_movement(**module, movement="LOST")
    draw = {"execution_id": 5678, "item": "SALT", "quantity": 2.5, "unit": "kg", "date": "2026-04-01"}
    assert erp.draw_consumable(**draw)["id"] == erp.draw_consumable(**draw)["id"]
    assert erp.draw_consumables([{**draw, "execution_id": 5679}]).counts()["created"] == 1
    assert lab.control("erp", "GET", "counts")["consumables"] == {"rows": 2, "duplicates": []}
