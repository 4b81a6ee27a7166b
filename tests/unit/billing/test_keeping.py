"""What was billed is remembered with every digit, whatever becomes of the price list."""

from __future__ import annotations

from dataclasses import replace

import orjson

from pv_testing.billing import invoice_record
from pv_testing.billing.keeping import kept, restored
from tests.unit.billing.orders import bill, order, rules, run

PRICES = {"PVTP-001": "33.335", "PVTP-018": "3000.00"}


def test_an_invoice_comes_back_as_it_was() -> None:
    policy = rules(PRICES, tax={"category": "S", "rate": "19"})
    invoice = bill(order(["PVTP-001", "PVTP-018"]), policy)
    assert restored(orjson.loads(orjson.dumps(kept(invoice))), policy) == invoice


def test_a_new_price_list_changes_nothing_of_it() -> None:
    invoice = bill(order(), rules(PRICES, tax={"category": "S", "rate": "19"}))
    later = rules({"PVTP-001": "99.00"}, buyer={"erp_id": "18", "vat_id": "DE111111111"})
    again = restored(kept(invoice), later)
    assert invoice_record(again).data == invoice_record(invoice).data
    assert again.buyer.vat_id == "DE111111111"


def test_why_it_was_held_is_not_remembered() -> None:
    invoice = bill(order(), rules(PRICES), [run(1)])
    assert invoice.holds
    assert restored(kept(invoice), rules(PRICES)) == replace(invoice, holds=())
