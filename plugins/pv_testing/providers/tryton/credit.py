"""Credit notes: invoices of negative quantities under a reference of their own, line by line of what they give back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from pv_testing.core.errors import Conflict
from pv_testing.core.records import Prepared, Reply, Verdict
from pv_testing.providers.tryton.drafts import LINE, Drafts, differences
from pv_testing.providers.tryton.invoices import InvoiceOperation, one, require_draft
from pv_testing.providers.tryton.listings import described
from pv_testing.providers.tryton.posting import POSTED, agrees, posted
from pv_testing.providers.tryton.provider import Item

# What is read of the lines that have been given back.
_CREDITED = ("origin", "quantity")


class CreditNoteOperation(InvoiceOperation):
    """Makes credit notes of single lines and posts them; Tryton's own wizard gives back whole invoices only."""

    sign = -1

    async def perform(self, item: Prepared) -> Reply:
        """Make the credit note where there is none, or change its draft, and post it."""
        drafts = Drafts(self, item, self.sign)
        number = int(item.external_id) if item.external_id else 0
        there = await one(self, item, number) if number else None
        if there is None:
            number = await drafts.create(await self._origins(item))
        elif differences(item.payload, there, self.sign):
            require_draft(item, there)
            await drafts.change(there, await self._origins(item))
        made = await posted(self, item, number, self.sign)
        return Reply(Verdict.OK, str(made["id"]), body=described(self.tryton.contract, made))

    def in_effect(self, item: Prepared, there: Item) -> bool:
        """Say whether a credit note is as the record wants it, and posted."""
        return there["state"] in POSTED and agrees(item, there, self.sign) and super().in_effect(item, there)

    async def _origins(self, item: Prepared) -> dict[str, int]:
        """Return the invoice's line of each product, where enough of it is left to be given back.

        Raises:
            Conflict: the invoice isn't posted, or less was billed.
        """
        billed = await one(self, item, int(item.payload["invoice"]))
        if billed["state"] not in POSTED:
            message = f"invoice {billed['id']} is {billed['state']} in Tryton; only a posted invoice can be given back"
            raise Conflict(message, key=item.key, code="INVOICE_NOT_POSTED")
        lines = {str((line.get("product.") or {}).get("code")): line for line in billed["lines"]}
        credited = await self._credited(item, billed)
        origins: dict[str, int] = {}
        for wanted in item.payload["lines"]:
            line = lines.get(wanted["product"])
            left = Decimal(str(line["quantity"])) - credited[line["id"]] if line else Decimal(0)
            if line is None or Decimal(wanted["quantity"]) > left:
                message = f"invoice {billed['number']} has {left} of {wanted['product']} left to give back"
                raise Conflict(f"{message}, not {wanted['quantity']}", key=item.key, code="CREDIT_TOO_HIGH")
            origins[wanted["product"]] = line["id"]
        return origins

    async def _credited(self, item: Prepared, billed: Item) -> Mapping[int, Decimal]:
        """Return how much of each line other credit notes give back already."""
        origins = [f"{LINE},{line['id']}" for line in billed["lines"]]
        domain = [
            ["origin", "in", origins],
            ["invoice.state", "!=", "cancelled"],
            ["invoice.reference", "!=", item.key],
        ]
        credited: dict[int, Decimal] = defaultdict(Decimal)
        for line in await self.search(LINE, domain, _CREDITED):
            credited[int(line["origin"].rpartition(",")[2])] -= Decimal(str(line["quantity"]))
        return credited
