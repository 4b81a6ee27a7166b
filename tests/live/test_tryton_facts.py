"""Shows on a running Tryton the facts of docs/how-to/tryton.md that the provider relies on, without the provider."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.live.tryton import plan
from tests.live.tryton.caller import Caller, Refused, day, decimal
from tests.live.tryton.server import Server

pytestmark = pytest.mark.live

TODAY = datetime.now(timezone.utc).date()
AMOUNTS = ["state", "number", "untaxed_amount", "tax_amount", "total_amount"]
INVOICE, LINE, MOVE, DRAW = "account.invoice", "account.invoice.line", "stock.move", "stock.shipment.internal"


class Books(Caller):
    """A caller who knows the numbers of what is set up."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url, plan.INTEGRATION, plan.INTEGRATION_PASSWORD)
        self.company = self.context["company"]
        self.customer = self.one("party.party", [["name", "=", plan.CUSTOMER]])
        self.currency = self.one("currency.currency", [["code", "=", "EUR"]])
        self.locations = {each["code"]: each["id"] for each in self.search("stock.location", [], ["code"])}

    def product(self, code: str) -> dict[str, Any]:
        (product,) = self.search("product.product", [["code", "=", code]], ["default_uom"])
        return product

    def line(self, quantity: float, price: str, **other: Any) -> dict[str, Any]:
        known = {"type": "line", "invoice_type": "out", "company": self.company, "currency": self.currency}
        known |= {"party": self.customer, "product": self.product("PVTP-001")["id"], "quantity": quantity}
        changes = self.call(LINE, "on_change", known, ["product"])
        taxes = [record["id"] for _, record in changes["taxes"]["add"]]
        given = {"unit_price": decimal(price), "unit": changes["unit"], "account": changes["account"]}
        return {**known, **given, "taxes": [["add", taxes]], **other}

    def head(self, on: date = TODAY, **other: Any) -> dict[str, Any]:
        known = {"type": "out", "company": self.company, "currency": self.currency, "party": self.customer}
        changes = self.call(INVOICE, "on_change", known, ["type", "party"])
        filled = {name: changes[name] for name in ("account", "journal", "invoice_address")}
        due = day(on + timedelta(days=30))
        return {**known, **filled, "invoice_date": day(on), "payment_term_date": due, **other}

    def invoice(self, *lines: dict[str, Any], **other: Any) -> int:
        (number,) = self.call(INVOICE, "create", [{**self.head(**other), "lines": [["create", list(lines)]]}])
        return int(number)

    def amounts(self, number: int) -> dict[str, Any]:
        (found,) = self.search(INVOICE, [["id", "=", number]], AMOUNTS)
        return found

    def state(self, model: str, number: int) -> str:
        (found,) = self.search(model, [["id", "=", number]], ["state"])
        return str(found["state"])

    def move(self, source: str, target: str, code: str = plan.MODULE, quantity: float = 1, **other: Any) -> int:
        product = self.product(code)
        known = {"product": product["id"], "unit": product["default_uom"], "quantity": quantity}
        way = {"from_location": self.locations[source], "to_location": self.locations[target]}
        (number,) = self.call(MOVE, "create", [{**known, **way, "company": self.company, **other}])
        return int(number)

    def drawing(self, reference: str, quantity: float = 0.25) -> int:
        product = self.product(plan.CLEANER)
        way = {"from_location": self.locations["STO"], "to_location": self.locations["USED"]}
        move = {**way, "product": product["id"], "unit": product["default_uom"], "quantity": quantity}
        days = {name: day(TODAY) for name in ("planned_start_date", "planned_date", "effective_date")}
        fields = {**way, **days, "company": self.company, "reference": reference}
        (number,) = self.call(DRAW, "create", [{**fields, "moves": [["create", [{**move, "company": self.company}]]]}])
        return int(number)


def pay(books: Caller, number: int) -> None:
    """Enter the payment of an invoice as a person does."""
    context = {**books.context, "active_model": INVOICE, "active_id": number, "active_ids": [number]}
    session, begin, _ = books.rpc("wizard.account.invoice.pay.create", context)
    shown = books.rpc("wizard.account.invoice.pay.execute", session, {}, begin, context)
    entered = {name: value for name, value in shown["view"]["defaults"].items() if not name.endswith(".")}
    entered |= {"payment_method": books.one("account.invoice.payment.method", []), "date": day(TODAY)}
    entered["amount"] = decimal(str(entered["amount"]))
    books.rpc("wizard.account.invoice.pay.execute", session, {begin: entered}, "choice", context)


@pytest.fixture(scope="module")
def books(tryton: Server) -> Iterator[Books]:
    with Books(tryton) as caller:
        yield caller


@pytest.fixture
def key() -> str:
    """A reference that no other test uses."""
    return f"SR-FACTS-{uuid.uuid4().hex[:10]}"


# Calls


def test_the_address_ends_in_the_database_and_rpc(tryton):
    call = {"id": 1, "method": "common.db.login", "params": [plan.INTEGRATION, {"password": "x"}]}
    assert requests.post(f"{tryton.url}/", json=call, timeout=60).status_code == 405
    assert requests.post(f"{tryton.origin}/nothing/rpc/", json=call, timeout=60).status_code == 404


def test_a_call_without_a_session_is_401(tryton):
    call = {"id": 1, "method": "model.party.party.search", "params": [[], {}]}
    assert requests.post(f"{tryton.url}/rpc/", json=call, timeout=60).status_code == 401


def test_a_wrong_password_is_401_and_a_right_one_gives_a_session(tryton):
    def login(password: str) -> requests.Response:
        call = {"id": 1, "method": "common.db.login", "params": [plan.ACCOUNTANT, {"password": password}]}
        return requests.post(f"{tryton.url}/rpc/", json=call, timeout=60)

    assert login("wrong").status_code == 401
    user, token, *_ = login(plan.ACCOUNTANT_PASSWORD).json()["result"]
    assert (type(user), type(token)) == (int, str)


def test_errors_come_with_200(books):
    refused = books.post("model.account.invoice.post", [999999], books.context)
    assert (refused.status_code, refused.json()["error"][0]) == (200, "UserError")
    broken = books.post("model.nothing.search", [], books.context)
    assert (broken.status_code, broken.json()["error"][0]) == (200, "'nothing'")


def test_a_method_that_is_not_for_clients_is_403(books):
    assert books.post("model.party.party.no_such_method", [], books.context).status_code == 403


def test_a_refusal_may_carry_a_description_of_half_the_database(books, key):
    refused = books.post("model.account.invoice.create", [{**books.head(), "party": 999999}], books.context)
    assert refused.json()["error"][0] == "UserError"
    assert len(refused.text) > 20_000


def test_a_user_without_groups_reads_nothing_and_is_told(tryton):
    with Caller(tryton.url, plan.STRANGER, plan.STRANGER_PASSWORD) as stranger, pytest.raises(Refused) as refused:
        stranger.search("account.invoice", [], ["number"])
    assert "not allowed" in str(refused.value)


# Invoices


def test_tryton_fills_in_account_address_and_tax(books):
    assert books.head()["invoice_address"]
    assert len(books.line(1, "10")["taxes"][0][1]) == 1


def test_each_line_is_rounded_half_to_even(books):
    there = books.amounts(books.invoice(books.line(3, "33.335")))
    assert (there["untaxed_amount"], there["total_amount"]) == (Decimal("100.00"), Decimal("119.00"))
    there = books.amounts(books.invoice(books.line(1, "0.015"), books.line(1, "0.025")))
    assert there["untaxed_amount"] == Decimal("0.04")


def test_nineteen_per_cent_of_4300_are_817(books):
    there = books.amounts(books.invoice(books.line(1, "4300.00")))
    assert (there["tax_amount"], there["total_amount"]) == (Decimal("817.00"), Decimal("5117.00"))


def test_a_tax_is_made_of_the_sum_of_its_lines(books):
    there = books.amounts(books.invoice(*(books.line(1, "0.13") for _ in range(3))))
    assert (there["untaxed_amount"], there["tax_amount"]) == (Decimal("0.39"), Decimal("0.07"))


def test_a_reference_is_taken_twice_and_found_exactly(books, key):
    numbers = [books.invoice(books.line(1, "10"), reference=key) for _ in range(2)]
    assert [each["id"] for each in books.search(INVOICE, [["reference", "=", key]], [])] == numbers
    for other in (key.lower(), key[:-1], f"{key} x", f"{key[:-1]}_", f"{key[:-1]}%"):
        assert books.search(INVOICE, [["reference", "in", [other]]], []) == []


def test_a_posted_invoice_changes_no_more(books, key):
    number = books.invoice(books.line(1, "10"), reference=key)
    books.call(INVOICE, "post", [number])
    texts = ({"reference": "other"}, {"description": "other"}, {"comment": "other"})
    for fields in (*texts, {"invoice_date": day(TODAY)}, {"lines": [["create", [books.line(1, "1")]]]}):
        with pytest.raises(Refused):
            books.call(INVOICE, "write", [number], fields)
    with pytest.raises(Refused, match="cannot modify"):
        books.call(INVOICE, "delete", [number])
    with pytest.raises(Refused, match="can not call"):
        books.call(INVOICE, "cancel", [number])
    assert books.amounts(number)["state"] == "posted"


def test_a_validated_invoice_keeps_its_lines_until_it_is_a_draft_again(books):
    number = books.invoice(books.line(1, "10"))
    books.call(INVOICE, "validate_invoice", [number])
    (line,) = books.search(LINE, [["invoice", "=", number]], [])
    with pytest.raises(Refused, match="not allowed to modify"):
        books.call(LINE, "write", [line["id"]], {"quantity": 2})
    books.call(INVOICE, "draft", [number])
    books.call(LINE, "write", [line["id"]], {"quantity": 2})
    assert books.amounts(number)["untaxed_amount"] == Decimal("20.00")


def test_a_second_post_is_an_error(books):
    number = books.invoice(books.line(1, "10"))
    books.call(INVOICE, "post", [number])
    with pytest.raises(Refused, match="can not call"):
        books.call(INVOICE, "post", [number])


def test_an_invoice_whose_payment_was_entered_is_paid(books):
    number = books.invoice(books.line(1, "10"))
    books.call(INVOICE, "post", [number])
    pay(books, number)
    assert books.amounts(number)["state"] == "paid"


def test_numbers_follow_the_days_of_the_invoices(books):
    books.call(INVOICE, "post", [books.invoice(books.line(1, "10"))])
    with pytest.raises(Refused, match="must set an invoice date after"):
        books.call(INVOICE, "post", [books.invoice(books.line(1, "10"), on=TODAY - timedelta(days=1))])


def test_a_term_that_has_passed_is_a_warning_and_nothing_is_posted(books):
    number = books.invoice(books.line(1, "10"), payment_term_date=day(TODAY - timedelta(days=1)))
    with pytest.raises(Refused) as refused:
        books.call(INVOICE, "post", [number])
    assert refused.value.args[0] == "UserWarning"
    assert books.amounts(number)["state"] == "draft"


def test_the_day_of_the_term_is_when_it_is_due(books):
    number = books.invoice(books.line(1, "10"))
    books.call(INVOICE, "post", [number])
    domain = [["move.origin", "=", f"{INVOICE},{number}"], ["maturity_date", "!=", None]]
    (owed,) = books.search("account.move.line", domain, ["maturity_date", "debit"])
    assert (owed["maturity_date"], owed["debit"]) == (TODAY + timedelta(days=30), Decimal("11.90"))


def test_what_somebody_has_changed_meanwhile_is_not_written_over(books):
    number = books.invoice(books.line(1, "10"))
    (seen,) = books.search(INVOICE, [["id", "=", number]], ["_timestamp"])
    books.call(INVOICE, "write", [number], {"description": "a person's"})
    context = {**books.context, "_timestamp": {f"{INVOICE},{number}": seen["_timestamp"]}}
    answer = books.post("model.account.invoice.write", [number], {"description": "ours"}, context).json()
    assert answer["error"][0] == "ConcurrencyException"


def test_negative_quantities_make_a_credit_note_that_refers_to_the_line(books, key):
    number = books.invoice(books.line(2, "10"))
    books.call(INVOICE, "post", [number])
    (line,) = books.search(LINE, [["invoice", "=", number]], [])
    note = books.invoice(books.line(-1, "10", origin=f"{LINE},{line['id']}"), reference=key)
    books.call(INVOICE, "post", [note])
    there = books.amounts(note)
    assert (there["state"], there["total_amount"]) == ("posted", Decimal("-11.90"))


# Customers


def test_a_name_is_taken_twice_and_codes_are_given(books, key):
    numbers = books.call("party.party", "create", [{"name": key}, {"name": key}])
    codes = [each["code"] for each in books.search("party.party", [["id", "in", numbers]], ["code"])]
    assert len(set(codes)) == 2


# Stock


def test_a_lot_s_number_is_taken_twice(books, key):
    module = books.product(plan.MODULE)["id"]
    made = books.call("stock.lot", "create", [{"number": key, "product": module}, {"number": key, "product": module}])
    assert len(made) == 2


def test_a_move_between_locations_of_production_is_done_at_once(books):
    move = books.move("CUS", "LAB", effective_date=day(TODAY))
    books.call(MOVE, "do", [move])
    assert books.state(MOVE, move) == "done"
    with pytest.raises(Refused, match="can not call"):
        books.call(MOVE, "do", [move])
    with pytest.raises(Refused, match="not allowed to modify"):
        books.call(MOVE, "write", [move], {"effective_date": day(TODAY - timedelta(days=1))})


def test_tryton_wants_a_price_between_locations_of_production(books):
    for source, target, wanted in (("CUS", "LAB", False), ("LAB", "SHELF", True), ("SHELF", "SCRAP", False)):
        way = {"from_location": books.locations[source], "to_location": books.locations[target]}
        answer = books.call(MOVE, "on_change_with", way, ["unit_price_required"])
        assert answer["unit_price_required"] is wanted


def test_nothing_leaves_a_storage_location_in_one_step(books):
    move = books.move("STO", "USED", plan.CLEANER, 0.25)
    with pytest.raises(Refused, match="can not call"):
        books.call(MOVE, "do", [move])


def test_a_move_in_the_future_is_a_warning(books):
    move = books.move("CUS", "LAB", effective_date=day(TODAY + timedelta(days=3)))
    with pytest.raises(Refused) as refused:
        books.call(MOVE, "do", [move])
    assert refused.value.args[0] == "UserWarning"


def test_a_shipment_carries_a_reference_and_is_assigned_by_force_where_stock_is_short(books, key):
    number = books.drawing(key)
    books.call(DRAW, "wait", [number])
    books.call(DRAW, "assign_try", [number])
    assert books.state(DRAW, number) == "waiting"
    books.call(DRAW, "assign_force", [number])
    books.call(DRAW, "do", [number])
    assert [each["id"] for each in books.search(DRAW, [["reference", "=", key], ["state", "=", "done"]], [])] == [
        number
    ]
