"""Posting: validated, compared to the cent, then posted; what differs stays where it is and waits for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pv_testing.core.errors import Conflict
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers.tryton.drafts import MODEL, invoices
from pv_testing.providers.tryton.invoices import one, require_draft
from pv_testing.providers.tryton.listings import described
from pv_testing.providers.tryton.provider import Item
from pv_testing.providers.tryton.steps import TrytonOperation

POSTED = frozenset({"posted", "paid"})


class PostingOperation(TrytonOperation):
    """Posts invoices; for good, as Tryton never lets go of a posted one."""

    async def perform(self, item: Prepared) -> Reply:
        """Post an invoice, unless it is posted."""
        there = await posted(self, item, int(item.payload["invoice"]))
        return Reply(Verdict.OK, str(there["id"]), body=described(self.tryton.contract, there))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the invoices that are to be posted."""
        numbers = [int(item.payload["invoice"]) for item in batch]
        there = {each["id"]: each for each in await invoices(self, [["id", "in", numbers]])}
        found: dict[str, Found] = {}
        for item, number in zip(batch, numbers, strict=True):
            if number in there:
                found[item.key] = self._found_invoice(item, there[number])
        return found

    def _found_invoice(self, item: Prepared, there: Item) -> Found:
        in_effect = there["state"] in POSTED and agrees(item, there)
        return Found(str(there["id"]), in_effect=in_effect, body=described(self.tryton.contract, there))


def agrees(item: Prepared, there: Item, sign: int = 1) -> bool:
    """Say whether Tryton's total is ours."""
    return bool(sign * there["total_amount"] == Decimal(item.payload["total"]))


async def posted(operation: TrytonOperation, item: Prepared, number: int, sign: int = 1) -> dict[str, Any]:
    """Post an invoice or a credit note whose total is ours, unless it is posted, and return it.

    Tryton doesn't let the lines of a validated invoice be changed, so that the total that was compared is posted.

    Args:
        operation: whose step it is.
        item: the record; its payload has the ``total``.
        number: the invoice's id in Tryton.
        sign: -1 of a credit note.

    Raises:
        Conflict: the total differs, or the invoice has been cancelled.
    """
    there = await one(operation, item, number)
    for state, step in (("draft", "validate_invoice"), ("validated", "post")):
        if there["state"] == state:
            _require_total(item, there, sign)
            await operation.change(item, MODEL, step, [number], seen=there)
            there = await one(operation, item, number)
    if there["state"] not in POSTED:
        require_draft(item, there)
    _require_total(item, there, sign)
    return there


def _require_total(item: Prepared, there: Item, sign: int) -> None:
    if not agrees(item, there, sign):
        theirs = f"{sign * there['total_amount']} {there['currency.']['code']}"
        message = f"Tryton computes {theirs} where {item.payload['total']} is to be billed; it stays {there['state']}"
        raise Conflict(
            f"{message}: correct prices or taxes, then release the record", key=item.key, code="AMOUNTS_DIFFER"
        )
