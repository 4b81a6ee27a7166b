"""Customers: parties with an address, made once and found by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Payload, Prepared, Reply, Verdict
from pv_testing.providers.tryton.listings import CUSTOMER, customer
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation
from pv_testing.providers.unasked import with_unclear

MODEL = "party.party"


class CustomerOperation(TrytonOperation):
    """Makes parties; what Tryton knows of one that is there is its own."""

    async def perform(self, item: Prepared) -> Reply:
        """Make a party with an address, which an invoice needs, be it an empty one."""
        if item.external_id:
            message = f"the customer {item.external_id} is not active in Tryton any more; activate the party there"
            raise Conflict(f"{message}, then release the record", key=item.key, code="CUSTOMER_INACTIVE")
        (number,) = await self.change(item, MODEL, "create", [_party(item.payload)])
        (party,) = await self.search(MODEL, [["id", "=", number]], CUSTOMER)
        return Reply(Verdict.OK, str(party["code"]), body=customer(party))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look parties up by name, inactive ones too."""
        names = sorted({str(item.payload["name"]) for item in batch})
        domain = [["name", "in", names], ["active", "in", [True, False]]]
        by_name: dict[str, list[Item]] = defaultdict(list)
        for party in await self.search(MODEL, domain, [*CUSTOMER, "active"]):
            by_name[party["name"]].append(party)
        asked = {item.key: str(item.payload["name"]) for item in batch}
        found: dict[str, Found] = {}
        for key, name in asked.items():
            if name in by_name:
                found[key] = _found(by_name[name])
        return with_unclear(found, asked, by_name)


def _found(parties: Sequence[Item]) -> Found:
    active = [party for party in parties if party["active"]]
    first = (active or parties)[0]
    return Found(str(first["code"]), in_effect=bool(active), body=customer(first), copies=max(1, len(active)))


def _party(payload: Payload) -> dict[str, Any]:
    address: dict[str, Any] = {}
    for theirs, ours in (("street", "address"), ("attn", "contact_person")):
        if payload.get(ours):
            address[theirs] = payload[ours]
    party: dict[str, Any] = {"name": payload["name"], "addresses": [["create", [address]]]}
    contacts = [{"type": kind, "value": payload[kind]} for kind in ("email", "phone") if payload.get(kind)]
    if contacts:
        party["contact_mechanisms"] = [["create", contacts]]
    return party
