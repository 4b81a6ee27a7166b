"""One attempt of a task, as a process that can be killed: brings every module of the laboratory into the LIMS."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os

from pv_testing.exchange.report import Report
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.samples.intake import create_samples


def main() -> int:
    """Run the attempt and return 0 when every record is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asked = _arguments()
    with Ledger(asked.ledger) as ledger:
        report = asyncio.run(_attempt(asked, ledger))
    print(report.table(), flush=True)
    return 1 if report.error is not None or report.not_in_effect() else 0


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> Report:
    password, key = os.environ["PV_STORM_PASSWORD"], os.environ["PV_STORM_API_KEY"]
    framework = FrameworkClient(asked.framework, username=asked.username, password=password, ledger=ledger)
    lims = LIMSClient(asked.lims, api_key=key, contract=asked.contract, ledger=ledger, owner=asked.owner)
    async with framework, lims:
        listed = await framework.alist("list_service_requests")
        return await create_samples(framework, lims, [request["id"] for request in listed])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("framework", "username", "lims", "contract", "ledger", "owner"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
