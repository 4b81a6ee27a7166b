"""Which invoices are paid and which aren't; read back from the ERP for people, and nothing follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv_testing.core.errors import DataError, IntegrationError, NotFound, Rejected
from pv_testing.integrations.erp import ERPClient
from pv_testing.integrations.framework import gather_bounded

NAME = "erp/unpaid"
LISTED = 20
OPEN = "POSTED"
GONE = "MISSING"
NONE: Mapping[str, str] = {}

Answer = Mapping[str, Any] | IntegrationError


class Payments:
    """The invoices that were unpaid when they were last looked at.

    Args:
        erp: where they are; its ledger remembers which ones are open.
    """

    def __init__(self, erp: ERPClient) -> None:
        self._erp = erp
        self._before: dict[str, str] = erp.ledger.state(NAME, {})
        self._unpaid = dict(self._before)
        self.settled: dict[str, str] = {}

    async def look(self, posted: Mapping[str, str]) -> list[str]:
        """Say which invoices are unpaid, and what became of those that aren't open any more.

        The ERP is asked for one listing, of invoices posted and not paid, and only while there is an invoice of ours.
        An invoice that can't be read is named, and asked for again by the next run.

        Args:
            posted: further invoices that are posted, by service request; ``settled`` then says which aren't open.
        """
        known = {**self._before, **posted}
        if not known:
            return []
        try:
            answers = await self._answers(known)
        except IntegrationError as error:
            return [f"whether invoices are paid couldn't be read: {error.message}"]
        unread: list[str] = []
        settled: list[str] = []
        unpaid: dict[str, Mapping[str, Any]] = {}
        self._unpaid = {}
        for key, answer in answers.items():
            invoice_id = known[key]
            if isinstance(answer, IntegrationError):
                self._unpaid[key] = invoice_id
                unread.append(f"{key}: whether invoice {invoice_id} is paid couldn't be read: {answer.message}")
            elif answer["status"] == OPEN:
                self._unpaid[key] = invoice_id
                unpaid[key] = answer
            else:
                self.settled[key] = _word(answer["status"])
                settled.append(f"{key}: invoice {invoice_id} is {self.settled[key]}")
        return [*unread, *settled, *_named(unpaid)]

    def keep(self) -> None:
        """Remember which invoices are unpaid."""
        looked_at = self._before.keys() | self._unpaid.keys()

        def now(kept: Mapping[str, str]) -> Mapping[str, str]:
            return {**{key: value for key, value in kept.items() if key not in looked_at}, **self._unpaid}

        self._erp.ledger.update(NAME, now, NONE)

    async def _answers(self, known: Mapping[str, str]) -> dict[str, Answer]:
        """Return each invoice as the ERP has it, or why it can't be read."""
        try:
            listed = {invoice["invoice_id"]: invoice for invoice in await self._erp.aopen_invoices()}
        except DataError:  # one of them; asked for one by one it is known which
            listed = {}
        others = [invoice_id for invoice_id in known.values() if invoice_id not in listed]
        answers = await gather_bounded([self._ask(invoice_id) for invoice_id in others])
        by_id = {**listed, **dict(zip(others, answers, strict=True))}
        return {key: by_id[invoice_id] for key, invoice_id in known.items()}

    async def _ask(self, invoice_id: str) -> Answer:
        try:
            return await self._erp.ainvoice(invoice_id)
        except NotFound:
            return {"status": GONE}
        except (DataError, Rejected) as error:
            return error


def _word(status: str) -> str:
    return "no longer in the ERP" if status == GONE else status.lower()


def _named(unpaid: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which invoices are unpaid; no more than twenty by name."""
    notes: list[str] = []
    for key, invoice in sorted(unpaid.items())[:LISTED]:
        due = f", due {invoice['due_date']}" if invoice.get("due_date") else ""
        notes.append(f"{key}: invoice {invoice['invoice_id']} is unpaid{due}")
    if len(unpaid) > LISTED:
        notes.append(f"{len(unpaid) - LISTED} more invoices are unpaid")
    return notes
