"""Consumables: what a test uses up is an internal shipment, whose reference is the business key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.tryton.listings import day
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation

MODEL = "stock.shipment.internal"
SHIPMENT = ("state", "number", "reference", "effective_date")
MOVE = ("shipment", "product.code", "quantity", "unit.symbol")
# What is done next; a shipment that Tryton could not assign from stock is still waiting then.
NEXT = {"draft": ("wait",), "waiting": ("assign_try", "assign_force"), "assigned": ("do",)}
STEPS = ("wait", "assign_try", "assign_force", "do")


class ConsumableOperation(TrytonOperation):
    """Draws consumables. Tryton's stock may be short of what a test has used; it is drawn all the same."""

    async def perform(self, item: Prepared) -> Reply:
        """Make the shipment where there is none, and carry it on to its end."""
        if item.external_id:
            number = int(item.external_id)
        else:
            fields = await self._fields(item)
            (number,) = await self.change(item, MODEL, "create", [fields])
        drawn = await self._drawn(item, number)
        if not self._same(item, drawn):
            message = f"shipment {drawn['number'] or drawn['id']} in Tryton says otherwise what was drawn"
            raise Conflict(f"{message}; correct it there, then release the record", key=item.key, code="DRAW_DIFFERS")
        for step in STEPS:
            if step in NEXT.get(drawn["state"], ()):
                await self.change(item, MODEL, step, [number])
                drawn = await self._drawn(item, number)
        if drawn["state"] != "done":
            message = f"shipment {drawn['number'] or drawn['id']} stays {drawn['state']} in Tryton"
            raise Conflict(f"{message}; see to it there, then release the record", key=item.key, code="DRAW_STUCK")
        return Reply(Verdict.OK, str(number), body=_described(drawn))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look shipments up by reference."""
        by_key: dict[str, list[Item]] = defaultdict(list)
        for drawn in await self._shipments([["reference", "in", [item.key for item in batch]]]):
            by_key[drawn["reference"]].append(drawn)
        return found_by_key(batch, by_key, self._found_draw)

    def _found_draw(self, item: Prepared, shipments: Sequence[Item]) -> Found:
        in_effect = shipments[0]["state"] == "done" and self._same(item, shipments[0])
        return Found(str(shipments[0]["id"]), in_effect=in_effect, body=_described(shipments[0]), copies=len(shipments))

    def _same(self, item: Prepared, drawn: Item) -> bool:
        moves = drawn["moves"]
        if len(moves) != 1 or item.payload["date"] != day(drawn["effective_date"]):
            return False
        unit, quantity = str(moves[0]["unit."]["symbol"]), Decimal(str(moves[0]["quantity"]))
        there = (moves[0]["product."]["code"], quantity, unit)
        return there == (item.payload["product"], Decimal(item.payload["quantity"]), item.payload.get("unit", unit))

    async def _fields(self, item: Prepared) -> dict[str, Any]:
        setup, names = self.tryton.setup, self.tryton.contract.names
        company = await self.company()
        product, unit = await setup.product(item.payload["product"], self.name)
        if item.payload.get("unit"):
            unit = await setup.unit(item.payload["unit"], self.name)
        on = date.fromisoformat(item.payload["date"])
        way = {
            "company": company,
            "from_location": await setup.location(names["consumables_location"], self.name),
            "to_location": await setup.location(names["consumed_location"], self.name),
        }
        move = {**way, "product": product, "unit": unit, "quantity": float(item.payload["quantity"])}
        days = {"planned_start_date": on, "planned_date": on, "effective_date": on}
        return {**way, **days, "reference": item.key, "moves": [["create", [move]]]}

    async def _drawn(self, item: Prepared, number: int) -> Item:
        shipments = await self._shipments([["id", "=", number]])
        if not shipments:
            message = f"shipment {number} is not in Tryton any more, or has been cancelled"
            raise Conflict(f"{message}; draw it there, then confirm the record", key=item.key, code="DRAW_GONE")
        return shipments[0]

    async def _shipments(self, where: Sequence[Any]) -> list[dict[str, Any]]:
        company = await self.company()
        domain = [*where, ["company", "=", company], ["state", "!=", "cancelled"]]
        rows = await self.search(MODEL, domain, SHIPMENT)
        shipments = {f"{MODEL},{each['id']}": {**each, "moves": []} for each in rows}
        if shipments:
            domain = [["shipment", "in", list(shipments)], ["state", "!=", "cancelled"]]
            for move in await self.search("stock.move", domain, MOVE):
                shipments[move["shipment"]]["moves"].append(move)
        return list(shipments.values())


def _described(drawn: Item) -> dict[str, Any]:
    move = drawn["moves"][0] if drawn["moves"] else {}
    return {
        "id": str(drawn["id"]),
        "external_id": drawn["reference"],
        "number": drawn["number"] or "",
        "status": drawn["state"].upper(),
        "item": (move.get("product.") or {}).get("code", ""),
        "quantity": str(move.get("quantity", "")),
        "unit": (move.get("unit.") or {}).get("symbol", ""),
        "date": day(drawn["effective_date"]),
    }
