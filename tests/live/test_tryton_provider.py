"""What the provider makes of Tryton's habits, each met on the running system: resolved, or left to a person."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from pv_testing.billing.differences import differences
from pv_testing.billing.invoice import Invoice, LineItem, invoice_record
from pv_testing.billing.parties import Customer, Seller
from pv_testing.billing.tax import NO_TAX, Tax
from pv_testing.core.errors import AuthenticationError, ConfigError, NotFound
from pv_testing.core.places import project_root
from pv_testing.core.records import Outcome, Record, Result
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from sandbox.proxy import serve_proxy
from tests.live.tryton import plan
from tests.live.tryton.caller import Caller
from tests.live.tryton.server import DATABASE, Server

pytestmark = pytest.mark.live

LOST = ["drop_after", "drop_before", "error", "html", "truncate"]
TODAY = datetime.now(timezone.utc).date()
Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def books(tryton: Server) -> Iterator[Caller]:
    """Tryton's own view of what is there."""
    with Caller(tryton.url, plan.INTEGRATION, plan.INTEGRATION_PASSWORD) as caller:
        yield caller


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The contract with a short horizon: here nobody else keeps Tryton's database busy."""
    file = tmp_path_factory.mktemp("contract") / "erp_tryton.yaml"
    text = (project_root() / "include/mappings/erp_tryton.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("horizon: 10", "horizon: 0.2"), encoding="utf-8")
    return str(file)


@pytest.fixture
def connect(tryton: Server, contract: str) -> Iterator[Connect]:
    """Make clients; without a ledger of its own, each knows nothing of the others."""
    made: list[ERPClient] = []

    def make(url: str = "", **other: Any) -> ERPClient:
        known = {"username": plan.INTEGRATION, "password": plan.INTEGRATION_PASSWORD, "auth_type": "basic"}
        known |= {"contract": contract, "ledger": Ledger.in_memory(), **other}
        client = ERPClient(url or tryton.url, provider="Tryton", **known)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def erp(connect: Connect) -> ERPClient:
    return connect()


@pytest.fixture(scope="module")
def customer(books: Caller) -> str:
    """The code of a customer."""
    (party,) = books.search("party.party", [["name", "=", plan.CUSTOMER]], ["code"])
    return str(party["code"])


@pytest.fixture
def sr() -> str:
    """The number of a service request that no other test uses."""
    return f"SR-{uuid.uuid4().hex[:8]}"


def proxied(url: str) -> str:
    """Return the address of the database behind a proxy."""
    return f"{url}/{DATABASE}"


def fault(method: str, kind: str) -> dict[str, Any]:
    """Return a fault of the next call of a method."""
    return {"route": "POST *", "holding": f'"model.{method}"', "kind": kind, "times": 1}


def carry(client: ERPClient, operation: str, key: str, **data: Any) -> Outcome:
    """Carry one record."""
    report = client.exchange(operation, [Record(key, data)])
    if report.error is not None:
        raise report.error
    (outcome,) = report.outcomes
    return outcome


def line(price: str, quantity: int = 1, protocol: str = "PVTP-001") -> LineItem:
    total = (quantity * Decimal(price)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return LineItem(protocol, "Test", quantity, Decimal(price), total)


def bill(sr: str, customer: str, *lines: LineItem, rate: str = "19", **other: Any) -> Invoice:
    """Compute an invoice as this project does."""
    tax = Tax(category="S", rate=rate) if Decimal(rate) else NO_TAX
    subtotal = sum((each.total for each in lines), Decimal(0))
    amount = tax.on(subtotal, "EUR")
    known: dict[str, Any] = {
        "invoice_date": TODAY,
        "payment_days": 14,
        "currency": "EUR",
        "delivered_on": TODAY,
        "po_number": "PO-7",
        "notes": "Twelve modules\nas agreed",
        **other,
    }
    parties = {"buyer": Customer(name=plan.CUSTOMER), "seller": Seller(name="PV Laboratory")}
    return Invoice(
        sr,
        customer,
        lines=lines,
        subtotal=subtotal,
        tax=tax,
        tax_amount=amount,
        total=subtotal + amount,
        **parties,
        **known,
    )


def invoice(client: ERPClient, sr: str, customer: str, *lines: LineItem, **other: Any) -> Outcome:
    record = invoice_record(bill(sr, customer, *(lines or (line("350.00", 12),)), **other))
    return carry(client, "create_invoice", record.key, **record.data)


def post(client: ERPClient, sr: str, number: str, total: str) -> Outcome:
    return carry(client, "post_invoice", sr, invoice_id=number, total=total)


def in_books(books: Caller, reference: str) -> list[dict[str, Any]]:
    fields = ["state", "number", "total_amount", "untaxed_amount", "tax_amount", "payment_term_date", "description"]
    return books.search("account.invoice", [["reference", "=", reference]], [*fields, "comment", "lines"])


# Customers


def test_a_customer_is_found_by_name_and_left_as_it_is(erp, books, customer):
    found = carry(erp, "create_customer", plan.CUSTOMER, name=plan.CUSTOMER, email="new@solar.example")
    assert (found.result, found.external_id) == (Result.ADOPTED, customer)
    assert erp.list("get_customers", name=plan.CUSTOMER)[0]["email"] == ""


def test_a_new_customer_has_an_address_and_can_be_billed(erp, books, sr):
    contact = {"email": "billing@solar.example", "phone": "+49 89 123456", "contact_person": "Ada Volt"}
    name = f"Solar {sr}"
    made = carry(erp, "create_customer", name, name=name, address="Sun Road 1\n80331 Munich", **contact)
    assert made.result is Result.CREATED
    (there,) = books.search("party.party", [["code", "=", made.external_id]], ["name", "email", "phone"])
    assert (there["name"], there["email"], there["phone"]) == (name, contact["email"], contact["phone"])
    (address,) = books.search("party.address", [["party", "=", there["id"]]], ["street", "attn"])
    assert (address["street"], address["attn"]) == ("Sun Road 1\n80331 Munich", "Ada Volt")
    assert invoice(erp, sr, made.external_id).result is Result.CREATED


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_makes_no_second_customer(tryton, connect, books, sr, kind):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        client.identity()
        proxy.faults(fault("party.party.create", kind))
        made = carry(client, "create_customer", sr, name=sr)
    assert made.result.in_effect
    (there,) = books.search("party.party", [["name", "=", sr]], ["code"])
    assert there["code"] == made.external_id


def test_a_name_that_two_customers_have_waits_for_a_person(erp, books, sr):
    books.call("party.party", "create", [{"name": sr}, {"name": sr}])
    assert carry(erp, "create_customer", sr, name=sr).code == "DUPLICATE_IN_SYSTEM"


def test_a_customer_that_was_deactivated_is_not_made_again(erp, books, sr):
    books.call("party.party", "write", books.call("party.party", "create", [{"name": sr}]), {"active": False})
    assert carry(erp, "create_customer", sr, name=sr).code == "CUSTOMER_INACTIVE"
    assert len(books.search("party.party", [["name", "=", sr], ["active", "in", [True, False]]], [])) == 1


# Invoices


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
    said = differences(wanted, *(made.body[name] for name in ("subtotal", "tax", "total")))
    assert said == [
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


# Posting


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
    said = erp.get_invoice(number)
    assert (said["status"], said["reference"], said["customer_id"]) == ("POSTED", sr, customer)
    assert (said["subtotal"], said["tax"], said["total"], said["currency"]) == ("10.00", "1.90", "11.90", "EUR")
    assert said["due_date"] == (TODAY + timedelta(days=14)).isoformat()
    assert said["number"]
    assert [each["reference"] for each in erp.list("get_invoices", reference=sr, status="POSTED")] == [sr]
    assert erp.list("get_invoices", reference=sr, status="DRAFT", customer_id=customer) == []
    with pytest.raises(NotFound):
        erp.get_invoice("999999")
    with pytest.raises(NotFound):
        erp.get_invoice("no number of Tryton's")


# Credit notes


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


# Stock


def move(client: ERPClient, sr: str, movement: str, serial: str = "SN001", day: str = "") -> Outcome:
    data = {"sr_number": sr, "serial_number": serial, "movement": movement, "date": day or TODAY.isoformat()}
    return carry(client, "record_stock_movement", f"{sr}/{serial}/{movement}", **data)


def moves(books: Caller, sr: str) -> list[tuple[str, str, str]]:
    fields = ["state", "from_location.code", "to_location.code"]
    there = books.search("stock.move", [["lot.number", "like", f"{sr}/%"]], fields)
    return [(each["state"], each["from_location."]["code"], each["to_location."]["code"]) for each in there]


def test_a_module_goes_from_where_it_is(erp, books, sr):
    for movement in ("RECEIVED", "STORED", "RETURNED"):
        assert move(erp, sr, movement).result is Result.CREATED
    assert move(erp, sr, "RECEIVED", "SN002").result is Result.CREATED
    assert move(erp, sr, "SCRAPPED", "SN002").result is Result.CREATED
    assert moves(books, sr) == [
        ("done", "CUS", "LAB"),
        ("done", "LAB", "SHELF"),
        ("done", "SHELF", "CUS"),
        ("done", "CUS", "LAB"),
        ("done", "LAB", "SCRAP"),
    ]


@pytest.mark.parametrize("movement", ["STORED", "RETURNED", "SCRAPPED"])
def test_a_module_that_never_came_cannot_go(erp, books, sr, movement):
    assert move(erp, sr, movement).code == "WRONG_PLACE"
    assert moves(books, sr) == []


def test_a_module_that_has_left_stays_away(erp, books, sr):
    for movement in ("RECEIVED", "RETURNED"):
        move(erp, sr, movement)
    assert move(erp, sr, "SCRAPPED").code == "WRONG_PLACE"
    assert len(moves(books, sr)) == 2


def test_a_movement_that_the_ledger_has_forgotten_is_found(connect, books, sr):
    first, second = (move(connect(), sr, "RECEIVED") for _ in range(2))
    assert (second.result, second.external_id) == (Result.ADOPTED, first.external_id)
    assert move(connect(), sr, "RECEIVED", day=(TODAY - timedelta(days=3)).isoformat()).code == "MOVE_DONE"
    assert len(moves(books, sr)) == 1


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("step", ["stock.lot.create", "stock.move.create", "stock.move.do"])
def test_a_lost_answer_moves_once(tryton, connect, books, sr, kind, step):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        proxy.faults(fault(step, kind))
        assert move(client, sr, "RECEIVED").result.in_effect
    assert moves(books, sr) == [("done", "CUS", "LAB")]
    assert len(books.search("stock.lot", [["number", "=", f"{sr}/SN001"]], [])) == 1


def test_movements_are_listed_in_the_projects_words(erp, sr):
    for serial in ("SN001", "SN002"):
        move(erp, sr, "RECEIVED", serial)
    move(erp, sr, "STORED")
    keys = [each["external_id"] for each in erp.list("get_stock_movements", sr_number=sr)]
    assert keys == [f"{sr}/SN001/RECEIVED", f"{sr}/SN002/RECEIVED", f"{sr}/SN001/STORED"]
    (found,) = erp.list("get_stock_movements", external_id=f"{sr}/SN001/STORED")
    assert (found["movement"], found["date"], found["status"]) == ("STORED", TODAY.isoformat(), "DONE")
    assert len(erp.list("get_stock_movements", serial_number="SN002", sr_number=sr)) == 1


def test_a_movement_in_the_future_waits_for_a_person(erp, books, sr):
    assert move(erp, sr, "RECEIVED", day=(TODAY + timedelta(days=3)).isoformat()).code == "USER_WARNING"
    assert [state for state, *_ in moves(books, sr)] == ["draft"]
    assert move(erp, sr, "RECEIVED").result.in_effect
    assert moves(books, sr) == [("done", "CUS", "LAB")]


def test_a_move_that_is_not_there_any_more_waits_for_a_person(erp, sr):
    assert move(erp, sr, "STORED").code == "WRONG_PLACE"
    erp.ledger.confirm("erp", "stock_movement", f"{sr}/SN001/STORED", "999999", owner="Ada")
    assert move(erp, sr, "STORED", day=(TODAY - timedelta(days=1)).isoformat()).code == "MOVE_GONE"


def draw(client: ERPClient, execution: str, quantity: str = "0.25", **other: Any) -> Outcome:
    data = {"execution_id": execution, "item": plan.CLEANER, "quantity": quantity, "unit": "l"}
    key = f"{execution}/{plan.CLEANER}"
    return carry(client, "draw_consumable", key, date=TODAY.isoformat(), **{**data, **other})


def drawn(books: Caller, execution: str) -> list[tuple[str, float, str]]:
    domain = [["shipment.reference", "=", f"{execution}/{plan.CLEANER}", "stock.shipment.internal"]]
    there = books.search("stock.move", domain, ["state", "quantity", "to_location.code"])
    return [(each["state"], each["quantity"], each["to_location."]["code"]) for each in there]


def test_a_consumable_is_drawn_once_also_where_stock_is_short(connect, books, sr):
    first, second = (draw(connect(), sr) for _ in range(2))
    assert (first.result, second.result) == (Result.CREATED, Result.ADOPTED)
    assert drawn(books, sr) == [("done", 0.25, "USED")]


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("step", ["create", "wait", "assign_try", "assign_force", "do"])
def test_a_lost_answer_draws_once(tryton, connect, books, sr, kind, step):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        proxy.faults(fault(f"stock.shipment.internal.{step}", kind))
        assert draw(client, sr).result.in_effect
    assert drawn(books, sr) == [("done", 0.25, "USED")]


def test_a_draw_that_is_done_stays_and_another_quantity_waits_for_a_person(connect, books, sr):
    draw(connect(), sr)
    assert draw(connect(), sr, "0.5").code == "DRAW_DIFFERS"
    assert draw(connect(), sr, unit="ml").code == "DRAW_DIFFERS"
    assert draw(connect(), sr, "0.250").result is Result.ADOPTED
    assert drawn(books, sr) == [("done", 0.25, "USED")]


@pytest.mark.parametrize(
    ("data", "code"),
    [({"item": "NOTHING"}, "PRODUCT_UNKNOWN"), ({"unit": "furlong"}, "UNIT_UNKNOWN"), ({"unit": "u"}, "USER_ERROR")],
)
def test_a_draw_that_tryton_cannot_have_waits_for_a_person(erp, books, sr, data, code):
    assert draw(erp, sr, **data).code == code
    assert drawn(books, sr) == []


# Who asks


def test_the_user_is_known_by_name(erp):
    assert erp.identity() == plan.INTEGRATION.title()


@pytest.mark.parametrize("credentials", [{"password": "wrong"}, {"username": "nobody"}])
def test_wrong_credentials_are_said_to_be(connect, credentials):
    with pytest.raises(AuthenticationError) as refused:
        connect(**credentials).identity()
    assert "live-" not in str(refused.value)


def test_a_database_that_is_not_there_is_said_to_be(tryton, connect):
    with pytest.raises(AuthenticationError, match="base_url"):
        connect(f"{tryton.origin}/nothing").identity()


def test_another_way_to_log_in_is_refused(connect):
    with pytest.raises(ConfigError, match="auth_type: basic"):
        connect(auth_type="bearer", token="x").identity()


def test_an_expired_session_is_renewed_once(tryton, connect, books, sr, customer):
    with serve_proxy(tryton.url) as proxy:
        client = connect(proxied(proxy.url))
        number = invoice(client, sr, customer, line("10.00")).external_id
        proxy.faults(fault("account.invoice.post", "expired_token"))
        assert post(client, sr, number, "11.90").result.in_effect
    assert [each["state"] for each in in_books(books, sr)] == ["posted"]


def test_a_user_without_rights_is_refused_in_tryton_s_words(connect, books, sr, customer):
    """What Tryton refuses first is the look-up before the first send, which leaves the record to a person."""
    refused = invoice(connect(username=plan.STRANGER, password=plan.STRANGER_PASSWORD), sr, customer)
    assert (refused.result, refused.code) == (Result.QUARANTINED, "LOOKUP_REFUSED")
    assert 'You are not allowed to access "Account Invoice"' in refused.reason
    assert in_books(books, sr) == []
