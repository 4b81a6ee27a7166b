"""One attempt of the audit trail's sync, as a process that can be killed; the ledger gains some events before it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os

from pv_testing.auditing.trail import send_ledger_events
from pv_testing.exchange.report import Report
from pv_testing.integrations import QMSClient
from pv_testing.ledger import Ledger


def main() -> int:
    """Run the attempt and return 0 when every event is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asked = _arguments()
    with Ledger(asked.ledger) as ledger:
        for number in range(asked.gain):
            ledger.record("sweep", owner=asked.owner, detail={"number": number})
        report = asyncio.run(_attempt(asked, ledger))
    print(report.table(), flush=True)
    return 1 if report.error is not None or report.not_in_effect() else 0


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> Report:
    credentials = {"username": asked.username, "password": os.environ["PV_STORM_QMS_PASSWORD"]}
    async with QMSClient(asked.qms, contract=asked.contract, ledger=ledger, owner=asked.owner, **credentials) as qms:
        return await send_ledger_events(qms)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("qms", "username", "contract", "ledger", "owner"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--gain", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
