"""Customers: partners, made once and found by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.contracts.model import OperationSpec
from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.odoo.provider import PARTNER, OdooProvider
from pv_testing.providers.stepped import SteppedOperation


class OdooCustomerOperation(SteppedOperation):
    """Makes partners; what Odoo knows of one that is there is its own.

    Args:
        provider: who speaks to Odoo.
        spec: the contract's operation.
    """

    def __init__(self, provider: OdooProvider, spec: OperationSpec) -> None:
        super().__init__(provider.contract, spec, provider.session)
        self.odoo = provider

    async def perform(self, item: Prepared) -> Reply:
        """Make a partner."""
        if item.external_id:
            message = f"the customer {item.external_id} is archived in Odoo; restore it there, then release the record"
            raise Conflict(message, key=item.key, code="CUSTOMER_INACTIVE")
        values = {**item.payload, "is_company": True}
        made = await self.odoo.execute(
            PARTNER, "create", operation=self.name, key=item.key, repeatable=False, vals_list=[values]
        )
        return Reply(Verdict.OK, str(made[0]), body={"id": str(made[0]), **item.payload})

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look partners up by name, archived ones too."""
        names = sorted({str(item.payload["name"]) for item in batch})
        domain = [["name", "in", names], ["active", "in", [True, False]]]
        by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for partner in await self.odoo.search(PARTNER, domain, ("name", "active"), operation=self.name):
            by_name[partner["name"]].append(partner)
        found: dict[str, Found] = {}
        for item in batch:
            there = by_name.get(str(item.payload["name"]), [])
            active = [partner for partner in there if partner["active"]]
            if there:
                first = (active or there)[0]
                found[item.key] = Found(str(first["id"]), in_effect=bool(active), copies=max(1, len(active)))
        return found
