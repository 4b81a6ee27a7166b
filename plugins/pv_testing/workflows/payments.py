"""Which invoices are paid and which aren't; read back from the ERP for people, and nothing follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pv_testing.errors import IntegrationError, NotFound
from pv_testing.integrations.erp import ERPClient

NAME = "erp/unpaid"
LISTED = 20


class Payments:
    """The invoices that were unpaid when they were last looked at.

    Args:
        erp: where they are; its ledger remembers which ones are open.
    """

    def __init__(self, erp: ERPClient) -> None:
        self._erp = erp
        said = erp.ledger.watermark(NAME)
        self._before: dict[str, str] = orjson.loads(said) if said else {}
        self._unpaid = dict(self._before)
        self.settled: dict[str, str] = {}

    async def look(self, posted: Mapping[str, str]) -> list[str]:
        """Say which invoices are unpaid, and what became of those that aren't open any more.

        The ERP is asked for one listing, of what is posted and not paid, and only while there is an invoice of ours.

        Args:
            posted: further invoices that are posted, by service request; ``settled`` then says which aren't open.
        """
        known = {**self._before, **posted}
        if not known:
            return []
        try:
            listed = {said["invoice_id"]: said for said in await self._erp.aopen_invoices()}
            open_ = {key: listed[invoice_id] for key, invoice_id in known.items() if invoice_id in listed}
            self.settled = {key: await self._status(known[key]) for key in known if key not in open_}
        except IntegrationError as error:
            return [f"whether invoices are paid couldn't be read: {error.message}"]
        self._unpaid = {key: known[key] for key in open_}
        return [*(f"{key}: invoice {known[key]} is {word}" for key, word in self.settled.items()), *_named(open_)]

    def keep(self) -> None:
        """Remember which invoices are unpaid."""
        if self._unpaid != self._before:
            self._erp.ledger.set_watermark(NAME, orjson.dumps(self._unpaid).decode())

    async def _status(self, invoice_id: str) -> str:
        try:
            return str((await self._erp.ainvoice(invoice_id))["status"]).lower()
        except NotFound:
            return "no longer in the ERP"


def _named(unpaid: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which invoices are unpaid; no more than twenty by name."""
    said = [
        f"{key}: invoice {one['invoice_id']} is unpaid" + (f", due {one['due_date']}" if one.get("due_date") else "")
        for key, one in sorted(unpaid.items())
    ]
    return [*said[:LISTED], *([f"{len(said) - LISTED} more invoices are unpaid"] if len(said) > LISTED else [])]
