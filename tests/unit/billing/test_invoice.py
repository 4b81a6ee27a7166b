"""Invoices: known answers, holds, notes, dates; and totals that add up whatever the prices are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv_testing.billing import invoice_of, invoice_record
from pv_testing.core.errors import ConfigError, DataError
from tests.unit.billing.orders import BERLIN, BUYER, NAMES, bill, completed, order, rules, run

STANDARD = {"category": "S", "rate": "19"}


def code_of(**arguments: Any) -> str:
    with pytest.raises(DataError) as caught:
        bill(arguments.pop("request", order()), arguments.pop("policy", rules()), **arguments)
    assert caught.value.key == "SR-2025-0123"
    assert caught.value.system == "erp"
    return caught.value.code


def test_the_rounding_trap_is_rounded_half_up() -> None:
    invoice = bill(order(), rules({"PVTP-001": "33.335"}))
    assert str(invoice.subtotal) == "100.01"


def test_nineteen_per_cent_of_4300_are_817() -> None:
    invoice = bill(order(quantity=1), rules({"PVTP-001": "4300.00"}, tax=STANDARD))
    assert [str(each) for each in (invoice.subtotal, invoice.tax_amount, invoice.total)] == [
        "4300.00", "817.00", "5117.00",
    ]  # fmt: skip


@pytest.mark.parametrize(("currency", "expected"), [("JPY", "1001"), ("KWD", "1000.500"), ("EUR", "1000.50")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, expected: str) -> None:
    invoice = bill(order(), rules({"PVTP-001": "333.50"}, currency=currency))
    assert str(invoice.total) == expected


def test_the_record_has_the_shape_that_contracts_read() -> None:
    record = invoice_record(bill(order(["PVTP-001", "PVTP-018"]), rules(tax=STANDARD)))
    assert record.key == "SR-2025-0123"
    assert record.data == {
        "sr_number": "SR-2025-0123",
        "customer_id": "17",
        "invoice_date": "2025-11-13",
        "due_date": "2025-12-13",
        "payment_days": 30,
        "reference": "SR-2025-0123",
        "po_number": "PO-SPI-2025-0078",
        "currency": "EUR",
        "notes": "PV Module Testing - AST-400-M",
        "line_items": [
            {
                "protocol_id": "PVTP-001",
                "description": "PVTP-001: STC Power Measurement",
                "quantity": "3",
                "unit_price": "500.00",
                "total": "1500.00",
            },
            {
                "protocol_id": "PVTP-018",
                "description": "PVTP-018: Thermal Cycling",
                "quantity": "3",
                "unit_price": "3000.00",
                "total": "9000.00",
            },
        ],
        "subtotal": "10500.00",
        "tax_rate": "19",
        "tax": "1995.00",
        "total": "12495.00",
    }


def test_an_invoice_without_tax_says_rate_and_tax_0() -> None:
    data = invoice_record(bill(order(), rules())).data
    assert (data["tax_rate"], data["tax"], data["subtotal"]) == ("0", "0.00", data["total"])


@pytest.mark.parametrize(
    ("approved_at", "expected"),
    [
        (datetime(2025, 11, 13, 22, 59, tzinfo=timezone.utc), date(2025, 11, 13)),
        (datetime(2025, 11, 13, 23, 1, tzinfo=timezone.utc), date(2025, 11, 14)),
        (datetime(2025, 7, 13, 22, 1, tzinfo=timezone.utc), date(2025, 7, 14)),
    ],
)
def test_the_invoices_date_is_the_day_of_approval_in_the_laboratory(approved_at: datetime, expected: date) -> None:
    request = order()
    invoice = invoice_of(request, completed(request), NAMES, rules(), approved_at, BERLIN)
    assert invoice.invoice_date == expected


def test_a_time_of_approval_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        invoice_of(order(), [], NAMES, rules(), datetime(2025, 11, 13), BERLIN)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("policy", "days"),
    [({}, 30), ({"payment_days": 14}, 14), ({"payment_days": 14, "buyer": {**BUYER, "payment_days": 0}}, 0)],
)
def test_the_customers_own_terms_come_first(policy: dict, days: int) -> None:
    invoice = bill(order(), rules(**policy))
    assert (invoice.payment_days, (invoice.due_date - invoice.invoice_date).days) == (days, days)


def test_the_customers_own_tax_comes_first() -> None:
    invoice = bill(order(), rules(tax=STANDARD, buyer={**BUYER, "tax": {"category": "AE"}}))
    assert (invoice.tax.category, invoice.tax.reason, invoice.tax_amount) == ("AE", "Reverse charge", 0)


def test_a_customer_without_an_id_in_the_erp_is_a_reason_to_wait() -> None:
    nameless = rules(buyer={})
    assert code_of(policy=nameless) == "CUSTOMER_UNKNOWN"
    assert code_of(request=order(customer={"name": "Nobody"})) == "CUSTOMER_UNKNOWN"
    assert code_of(request=order(customer={})) == "CUSTOMER_UNKNOWN"
    assert bill(order(), nameless, customer_id="from the ERP").customer_id == "from the ERP"


def test_every_protocol_without_a_price_is_named_at_once() -> None:
    with pytest.raises(DataError, match=r"PVTP-044.*PVTP-045") as caught:
        bill(order(["PVTP-001", "PVTP-044", "PVTP-045"]), rules())
    assert caught.value.code == "PRICE_MISSING"


def test_prices_in_two_currencies_are_a_reason_to_wait() -> None:
    mixed = rules({"PVTP-001": "500.00", "PVTP-018": [{"price": "1", "currency": "USD"}]})
    assert code_of(request=order(["PVTP-001", "PVTP-018"]), policy=mixed) == "CURRENCY_MIXED"


@pytest.mark.parametrize(
    ("request_", "policy"),
    [
        (order([]), rules()),
        (order(quantity=0), rules()),
        (order([{"protocol_id": "PVTP-001", "status": "WITHDRAWN"}]), rules()),
        (order(), rules(quantity="tested")),
    ],
)
def test_an_invoice_over_nothing_is_not_made(request_: Any, policy: Any) -> None:
    assert code_of(request=request_, policy=policy, executions=[]) == "NOTHING_TO_BILL"


@pytest.mark.parametrize("mode", ["announced", "tested"])
def test_an_order_of_nobody_knows_how_many_modules_is_not_invoiced(mode: str) -> None:
    unknown = replace(order(), quantity=None, announced="12 pcs")
    with pytest.raises(DataError, match="'12 pcs' is no whole number") as caught:
        bill(unknown, rules(quantity=mode))
    assert (caught.value.code, caught.value.key) == ("QUANTITY_UNKNOWN", "SR-2025-0123")
    withdrawn = order([{"protocol_id": "PVTP-001", "status": "WITHDRAWN"}])
    assert code_of(request=replace(withdrawn, quantity=None), executions=[]) == "NOTHING_TO_BILL"


def test_a_complete_order_has_no_hold() -> None:
    assert bill(order(["PVTP-001", "PVTP-018"]), rules()).holds == ()


@pytest.mark.parametrize(("quantity", "billed"), [("announced", 3), ("tested", 2)])
def test_fewer_modules_tested_than_announced_leave_a_draft(quantity: str, billed: int) -> None:
    invoice = bill(order(), rules(quantity=quantity), [run(1, "SN001"), run(2, "SN003")])
    assert [line.quantity for line in invoice.lines] == [billed]
    (hold,) = invoice.holds
    assert hold.code == "QUANTITY_MISMATCH"
    assert hold.reason.startswith(f"PVTP-001: 3 modules ordered, 2 tested, {billed} billed")


def test_a_protocol_that_nobody_ordered_is_not_billed_but_shown() -> None:
    request = order()
    invoice = bill(request, rules(), [*completed(request), run(9, "SN001", "PVTP-018")])
    assert [line.protocol_id for line in invoice.lines] == ["PVTP-001"]
    assert [hold.reason[:50] for hold in invoice.holds] == ["PVTP-018: 0 modules ordered, 1 tested, 0 billed; c"[:50]]


def test_a_protocol_without_any_test_is_shown_when_only_tests_are_billed() -> None:
    request = order(["PVTP-001", "PVTP-018"])
    invoice = bill(request, rules(quantity="tested"), completed(request, ["PVTP-001"]))
    assert [line.protocol_id for line in invoice.lines] == ["PVTP-001"]
    assert [hold.code for hold in invoice.holds] == ["QUANTITY_MISMATCH"]


def test_a_module_that_was_tested_again_counts_once() -> None:
    request = order()
    again = run(9, "SN001")
    assert bill(request, rules(quantity="tested"), [*completed(request), again]).holds == ()


def test_failed_tests_are_billed_unless_the_rules_say_otherwise() -> None:
    done = [run(1, "SN001"), run(2, "SN002", qc_status="FAIL"), run(3, "SN003")]
    assert bill(order(), rules(), done).holds == ()
    strict = bill(order(), rules(quantity="tested", billed="passed"), done)
    assert strict.lines[0].quantity == 2
    assert "execution 2, PVTP-001 on SN002, COMPLETE FAIL" in strict.notes


def test_what_is_not_billed_is_listed_in_the_notes_whatever_its_order() -> None:
    request = order()
    rest = [run(8, "SN002", status="STOPPED"), run(7, "SN002", status="SKIPPED"), run(9, "")]
    notes = bill(request, rules(), [*completed(request), *rest]).notes
    assert notes.splitlines() == [
        "PV Module Testing - AST-400-M",
        "not billed: execution 9, PVTP-001 on an unnamed module, COMPLETE PASS",
        "not billed: execution 7, PVTP-001 on SN002, SKIPPED",
        "not billed: execution 8, PVTP-001 on SN002, STOPPED",
    ]
    assert bill(request, rules(), [*reversed(rest), *completed(request)]).notes == notes


def test_the_notes_stay_short() -> None:
    request = order()
    stopped = [run(number, "SN001", status="STOPPED") for number in range(100, 150)]
    notes = bill(request, rules(), [*completed(request), *stopped]).notes
    assert notes.splitlines()[-1] == "not billed: 30 more executions"
    assert len(notes) < 2000


def test_a_withdrawn_protocol_is_billed_no_longer_but_can_be_computed_once_more() -> None:
    request = order(["PVTP-001", {"protocol_id": "PVTP-018", "status": "Withdrawn"}])
    done = completed(request, ["PVTP-001"])
    assert [line.protocol_id for line in bill(request, rules(), done).lines] == ["PVTP-001"]
    assert bill(request, rules(), done).holds == ()
    assert len(bill(request, rules(), done, withdrawn=()).lines) == 2


def test_the_day_of_delivery_is_that_of_the_last_test_else_of_the_approval() -> None:
    done = [run(1, completed_at="2025-11-10T23:30:00Z"), run(2, completed_at="later"), run(3, completed_at="")]
    assert bill(order(quantity=1), rules(), done).delivered_on == date(2025, 11, 11)
    assert bill(order(quantity=1), rules(), done[1:]).delivered_on == date(2025, 11, 13)


@pytest.mark.parametrize(
    "change",
    [
        {"subtotal": Decimal("1500.01")},
        {"total": Decimal("1499.99")},
        {"tax_amount": Decimal("0.01")},
        {"subtotal": 1500.0},
        {"lines": ()},
    ],
)
def test_a_wrong_sum_is_never_sent(change: dict) -> None:
    invoice = replace(bill(order(), rules()), **change)
    with pytest.raises(DataError, match="nothing is sent") as caught:
        invoice_record(invoice)
    assert caught.value.code == "SUM_WRONG"


def test_a_wrong_line_is_never_sent() -> None:
    invoice = bill(order(), rules())
    (line,) = invoice.lines
    for wrong in (
        replace(line, quantity=4),
        replace(line, unit_price=500.0),
        replace(line, quantity=0, total=Decimal(0)),
    ):
        with pytest.raises(DataError) as caught:
            replace(invoice, lines=(wrong,)).check()
        assert caught.value.code == "SUM_WRONG"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"tax": {"category": "S"}}, "billing.yaml: tax: category S needs a rate"),
        ({"tax": {"category": "AE", "rate": "19"}}, "AE has rate 0"),
        ({"tax": {"category": "E"}}, "category E needs the reason"),
        ({"buyer": {"tax": {"category": "E"}}}, "customers.Solar Corporation.tax: category E"),
        ({"seller": {"name": "Lab", "bank": {"iban": "DE89370400440532013001"}}}, "seller.bank.iban: .*IBAN"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(sections: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        rules(**sections)


def test_a_line_that_comes_to_nothing_is_not_billed() -> None:
    with pytest.raises(DataError, match=r"PVTP-001: 1 × 0\.0049 comes to nothing") as caught:
        bill(order(quantity=1), rules({"PVTP-001": "0.0049"}))
    assert caught.value.code == "SUM_WRONG"


AMOUNTS = st.decimals(min_value=1, max_value="99999.9999", places=4)
RATES = st.sampled_from(["0", "5.5", "7.7", "8.1", "19", "25"])


@settings(deadline=None)
@given(
    prices=st.lists(AMOUNTS, min_size=1, max_size=54),
    quantity=st.integers(min_value=1, max_value=5000),
    rate=RATES,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_totals_always_add_up(prices: list[Decimal], quantity: int, rate: str, currency: str) -> None:
    listed = {f"PVTP-{number:03d}": format(price, "f") for number, price in enumerate(prices, start=1)}
    tax = {"category": "S", "rate": rate} if rate != "0" else {"category": "Z"}
    invoice = bill(order(listed, quantity), rules(listed, currency=currency, tax=tax), executions=[])
    cent = Decimal(1).scaleb(-{"EUR": 2, "JPY": 0, "KWD": 3}[currency])
    lines = [(quantity * price).quantize(cent, ROUND_HALF_UP) for price in prices]
    assert [line.total for line in invoice.lines] == lines
    assert invoice.subtotal == sum(lines)
    assert invoice.tax_amount == (sum(lines) * Decimal(rate) / 100).quantize(cent, ROUND_HALF_UP)
    assert invoice.total == invoice.subtotal + invoice.tax_amount
    assert_no_floats(invoice_record(invoice).data)


def assert_no_floats(value: Any) -> None:
    assert not isinstance(value, float)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        assert_no_floats(each)
