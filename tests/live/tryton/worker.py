"""Carries service requests into Tryton, as a process that can be killed."""

from __future__ import annotations

import argparse
from datetime import date

from pv_testing.config import load_config
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from tests.live.phases import carry, run
from tests.live.tryton import work


async def bill(erp: ERPClient, on: date) -> None:
    """Bill every service request, and give back what was withdrawn."""
    codes = await carry(erp, "create_customer", work.customers())
    numbers = await carry(erp, "create_invoice", work.invoices(codes, on))
    await carry(erp, "post_invoice", work.postings(numbers))
    await carry(erp, "create_credit_note", work.credit_notes(codes, numbers, on))


async def stock(erp: ERPClient, on: date) -> None:
    """Move every module, and draw what was used up."""
    for movement in work.MOVEMENTS:
        await carry(erp, "record_stock_movement", work.movements(movement, on))
    await carry(erp, "draw_consumable", work.draws(on))


PHASES = {"bill": bill, "stock": stock}


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> None:
    config = load_config(asked.config).systems["erp"].ready()
    async with ERPClient(config=config, ledger=ledger, owner=asked.owner) as erp:
        await PHASES[asked.phase](erp, date.fromisoformat(asked.on))


if __name__ == "__main__":
    raise SystemExit(run(__doc__ or "", PHASES, _attempt, "on"))
