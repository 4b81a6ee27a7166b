"""Shows that modules move and consumables are drawn once in Tryton, from where they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pv_testing.core.records import Outcome, Result
from pv_testing.integrations import ERPClient
from sandbox.proxy import serve_proxy
from tests.live.carrying import LOST, carry
from tests.live.tryton import plan
from tests.live.tryton.caller import Caller
from tests.live.tryton_provider.calls import TODAY, fault, proxied

pytestmark = pytest.mark.live


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
