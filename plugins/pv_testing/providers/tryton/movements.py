"""Movements of modules: each module of a service request is a lot, and each movement one of its stock moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pv_testing.core import keys
from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Payload, Prepared, Reply, Verdict
from pv_testing.providers.tryton.listings import MOVEMENT, day, moved
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation

MODEL, LOT = "stock.move", "stock.lot"


class MovementOperation(TrytonOperation):
    """Moves modules; where one is says its lot's last move."""

    async def perform(self, item: Prepared) -> Reply:
        """Move a module, or do a move that was left undone."""
        move = await self._move(item, int(item.external_id)) if item.external_id else None
        if move is None:
            (number,) = await self.change(item, MODEL, "create", [await self._fields(item)])
            move = await self._move(item, number)
        if move["state"] == "done":
            raise _done(item, move)
        if day(move["effective_date"]) != item.payload["date"]:
            fields = {"effective_date": date.fromisoformat(item.payload["date"])}
            await self.ask(item, MODEL, "write", [move["id"]], fields)
        await self.change(item, MODEL, "do", [move["id"]])
        move = await self._move(item, move["id"])
        return Reply(Verdict.OK, str(move["id"]), body=moved(self.tryton.contract, move))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look movements up by the module's lot and where it went."""
        domain = [
            ["lot.number", "in", sorted({_lot(item.payload) for item in batch})],
            ["product.code", "in", sorted({item.payload["product"] for item in batch})],
            ["state", "!=", "cancelled"],
        ]
        by_way: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
        for move in await self._moves(domain):
            by_way[_way(move)].append(move)
        found: dict[str, Found] = {}
        for item in batch:
            moves = by_way.get((item.payload["product"], _lot(item.payload), item.payload["to"]))
            if moves:
                found[item.key] = self._found_move(item, moves)
        return found

    def _found_move(self, item: Prepared, moves: Sequence[Item]) -> Found:
        done = [move for move in moves if move["state"] == "done"]
        move = (done or moves)[0]
        in_effect = bool(done) and day(move["effective_date"]) == item.payload["date"]
        body = moved(self.tryton.contract, move)
        return Found(str(move["id"]), in_effect=in_effect, body=body, copies=max(1, len(done)))

    async def _fields(self, item: Prepared) -> dict[str, Any]:
        company = await self.company()
        product, unit = await self.tryton.setup.product(item.payload["product"], self.name)
        source = await self.tryton.setup.location(await self._source(item), self.name)
        target = await self.tryton.setup.location(item.payload["to"], self.name)
        way = {"from_location": source, "to_location": target}
        requirements = await self.ask(item, MODEL, "on_change_with", way, ["unit_price_required"])
        # A module isn't ours, but between such locations Tryton wants a price.
        price = {"unit_price": Decimal(0), "currency": await self.own_currency()}
        return {
            **way,
            **(price if requirements.get("unit_price_required") else {}),
            "company": company,
            "product": product,
            "unit": unit,
            "quantity": 1,
            "lot": await self._lot_of(item, product),
            "effective_date": date.fromisoformat(item.payload["date"]),
        }

    async def _source(self, item: Prepared) -> str:
        """Return the code of the location where the module is.

        Raises:
            Conflict: it can't go from there to where it is to go.
        """
        names = self.tryton.contract.names
        past = [["lot.number", "=", _lot(item.payload)], ["product.code", "=", item.payload["product"]]]
        moves = await self._moves([*past, ["state", "=", "done"]])
        here = str(moves[-1]["to_location."]["code"]) if moves else names["customer_location"]
        comes = item.payload["to"] == names["laboratory_location"]
        gone = here in {names["customer_location"], names["scrap_location"]}
        if comes != gone or (comes and moves):
            message = f"module {_lot(item.payload)} is at {here} in Tryton and can't go to {item.payload['to']}"
            raise Conflict(
                f"{message}; record the missing movement there, then release", key=item.key, code="WRONG_PLACE"
            )
        return here

    async def _lot_of(self, item: Prepared, product: int) -> int:
        """Return the module's lot, a new one where it has none."""
        number = _lot(item.payload)
        domain = [["number", "=", number], ["product", "=", product]]
        lots = await self.search(LOT, domain, [])
        if lots:
            return int(lots[0]["id"])
        fields = {"number": number, "product": product}
        (made,) = await self.change(item, LOT, "create", [fields])
        return int(made)

    async def _move(self, item: Prepared, number: int) -> Item:
        moves = await self._moves([["id", "=", number]])
        if not moves:
            message = (
                f"stock move {number} is not in Tryton any more; book it there, then confirm the record with its id"
            )
            raise Conflict(message, key=item.key, code="MOVE_GONE")
        return moves[0]

    async def _moves(self, domain: Sequence[Any]) -> list[dict[str, Any]]:
        company = await self.company()
        mine = [*domain, ["company", "=", company]]
        return await self.search(MODEL, mine, MOVEMENT)


def _lot(payload: Payload) -> str:
    return keys.compose(str(payload["service_request"]), str(payload["serial"]))


def _way(move: Item) -> tuple[str, str, str]:
    lot = (move.get("lot.") or {}).get("number")
    return str(move["product."]["code"]), str(lot), str(move["to_location."]["code"])


def _done(item: Prepared, move: Item) -> Conflict:
    message = f"the move is done on {day(move['effective_date'])} in Tryton, which doesn't let it be changed"
    return Conflict(f"{message}; correct the day at its source, or confirm the record", key=item.key, code="MOVE_DONE")
