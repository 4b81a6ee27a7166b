"""Invoices: made once as drafts under the reference, and changed as long as they are drafts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.tryton.drafts import Drafts, differences, invoices
from pv_testing.providers.tryton.listings import described
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation
from pv_testing.providers.unasked import with_unclear


class InvoiceOperation(TrytonOperation):
    """Makes and changes drafts; Tryton takes any reference twice, so that each is looked up before."""

    sign = 1

    async def perform(self, item: Prepared) -> Reply:
        """Make a draft, or change the one that is there; what Tryton has computed comes with the reply."""
        drafts = Drafts(self, item)
        if item.external_id:
            number = int(item.external_id)
            there = await one(self, item, number)
            if not self.in_effect(item, there):
                require_draft(item, there)
                await drafts.change(there)
        else:
            number = await drafts.create()
        made = await one(self, item, number)
        return Reply(Verdict.OK, str(made["id"]), body=described(self.tryton.contract, made))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look invoices up by reference, cancelled ones too: one that people have cancelled isn't made again."""
        by_key: dict[str, list[Item]] = defaultdict(list)
        for each in await invoices(self, [["reference", "in", [item.key for item in batch]]]):
            by_key[each["reference"]].append(each)
        found = found_by_key(batch, by_key, self._found_invoice)
        return with_unclear(found, {item.key: item.key for item in batch}, by_key)

    def in_effect(self, item: Prepared, there: Item) -> bool:
        """Say whether an invoice is as the record wants it."""
        return there["state"] != "cancelled" and not differences(item.payload, there, self.sign)

    def _found_invoice(self, item: Prepared, matches: Sequence[Item]) -> Found:
        valid = [each for each in matches if each["state"] != "cancelled"]
        there = (valid or matches)[-1]
        in_effect = self.in_effect(item, there)
        body = described(self.tryton.contract, there)
        return Found(str(there["id"]), in_effect=in_effect, body=body, copies=max(1, len(valid)))


async def one(operation: TrytonOperation, item: Prepared, number: int) -> dict[str, Any]:
    """Return an invoice with its lines.

    Args:
        operation: whose step it is.
        item: the record.
        number: the invoice's id in Tryton.

    Raises:
        Conflict: it isn't there any more.
    """
    matches = await invoices(operation, [["id", "=", number]])
    if not matches:
        message = (
            f"invoice {number} is not in Tryton any more, or isn't shown to this user; make one there with the "
            f"reference {item.key!r} and confirm the record with its id"
        )
        raise Conflict(message, key=item.key, code="INVOICE_GONE")
    return matches[0]


def require_draft(item: Prepared, there: Item) -> None:
    """Let nothing be changed but a draft.

    Raises:
        Conflict: it is none any more.
    """
    name = f"invoice {there['number'] or there['id']}"
    if there["state"] == "cancelled":
        message = f"{name} has been cancelled in Tryton; reset it to draft there and release the record, or confirm it"
        raise Conflict(message, key=item.key, code="INVOICE_CANCELLED")
    if there["state"] != "draft":
        message = (
            f"{name} is {there['state']} in Tryton and isn't changed any more; reset a validated one to draft there, "
            "correct a posted one by a credit note"
        )
        raise Conflict(message, key=item.key, code="INVOICE_CLOSED")
