"""One step of the round trip between the framework and SENAITE, as a process that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import logging

from pv_testing.config import load_config
from pv_testing.exchange.report import Report
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.workflows.intake import create_samples
from pv_testing.workflows.results import upload_results
from pv_testing.workflows.statuses import pull_statuses, push_statuses

STEPS = {"intake": create_samples, "results": upload_results, "pull": pull_statuses, "push": push_statuses}


def main() -> int:
    """Run the step over every service request and return 0 when every record is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    for name in ("config", "ledger", "owner"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    with Ledger(asked.ledger) as ledger:
        report = asyncio.run(_attempt(asked, ledger))
    print(report.table(), flush=True)
    return 1 if report.error is not None or report.not_in_effect() else 0


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> Report:
    systems = load_config(asked.config).systems
    framework = FrameworkClient(config=systems["framework"].ready(), ledger=ledger, owner=asked.owner)
    lims = LIMSClient(config=systems["lims"].ready(), ledger=ledger, owner=asked.owner)
    async with framework, lims:
        listed = await framework.alist("list_service_requests")
        return await STEPS[asked.step](framework, lims, [request["id"] for request in listed])


if __name__ == "__main__":
    raise SystemExit(main())
