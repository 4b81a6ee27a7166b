"""Shows that a customer is found or made once in Tryton, and that what is unclear waits for a person."""

from __future__ import annotations

import pytest

from pv_testing.core.records import Result
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry
from tests.live.tryton import plan
from tests.live.tryton_provider.billing import invoice
from tests.live.tryton_provider.calls import fault, proxied

pytestmark = pytest.mark.live


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
