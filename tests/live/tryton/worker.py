"""Carries service requests into Tryton, as a process that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterable
from datetime import date

from pv_testing.config import load_config
from pv_testing.exchange.types import Record
from pv_testing.integrations import ERPClient
from pv_testing.ledger import Ledger
from tests.live.tryton import work


class Unfinished(Exception):
    """Another attempt must go on."""


async def carry(erp: ERPClient, operation: str, records: Iterable[Record]) -> dict[str, str]:
    """Carry records and return their ids by key.

    Raises:
        Unfinished: some are not in effect.
    """
    report = await erp.aexchange(operation, list(records))
    print(report.table(), flush=True)
    if report.error is not None or report.not_in_effect():
        raise Unfinished(f"{operation}: {report.error or report.not_in_effect()}")
    return {outcome.key: outcome.external_id for outcome in report.outcomes}


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


def main() -> int:
    """Run a phase and return 0 when every record is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=PHASES)
    for name in ("config", "ledger", "owner", "on"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    with Ledger(asked.ledger) as ledger:
        try:
            asyncio.run(_attempt(asked, ledger))
        except Unfinished as unfinished:
            print(unfinished, flush=True)
            return 1
    return 0


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> None:
    config = load_config(asked.config).systems["erp"].ready()
    async with ERPClient(config=config, ledger=ledger, owner=asked.owner) as erp:
        await PHASES[asked.phase](erp, date.fromisoformat(asked.on))


if __name__ == "__main__":
    raise SystemExit(main())
