"""One attempt of the office's work, as a process that can be killed: everything that follows from finished tests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timezone
from typing import Any

from pv_testing.billing.invoicing import create_invoices
from pv_testing.config import load_config
from pv_testing.exchange.report import Report
from pv_testing.integrations import connect
from pv_testing.inventory.stock import move_stock
from pv_testing.ledger import Ledger
from pv_testing.projects.task_updates import update_tasks
from pv_testing.projects.tasks import create_tasks
from pv_testing.projects.time_entries import log_hours
from pv_testing.quality.capas import find_findings, raise_capas
from pv_testing.quality.nonconformances import report_non_conformances


async def find_and_raise_capas(framework: Any, qms: Any, _: Sequence[int]) -> list[Report]:
    """Find failures that recur and raise their CAPAs, where the rules want no approval."""
    await find_findings(framework, qms, at=datetime.now(timezone.utc))
    return await raise_capas(qms)


STEPS = (
    ("qms", report_non_conformances),
    ("qms", find_and_raise_capas),
    ("pm", create_tasks),
    ("pm", update_tasks),
    ("pm", log_hours),
    ("erp", create_invoices),
    ("erp", move_stock),
)


def main() -> int:
    """Run the attempt and return 0 when every record is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("config", "ledger", "owner"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    os.environ["PV_CONFIG"] = asked.config
    with Ledger(asked.ledger) as ledger:
        reports = asyncio.run(_attempt(asked, ledger))
    return 1 if any(report.error is not None or report.not_in_effect() for report in reports) else 0


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> list[Report]:
    reports: list[Report] = []
    async with AsyncExitStack() as stack:
        clients: dict[str, Any] = {}
        for system, config in load_config(asked.config).systems.items():
            clients[system] = await stack.enter_async_context(connect(config.ready(), ledger=ledger, owner=asked.owner))
        ids = [request["id"] for request in await clients["framework"].alist("list_service_requests")]
        for system, step in STEPS:
            made = await step(clients["framework"], clients[system], ids)
            reports += made if isinstance(made, Sequence) else [made]
            print(*(report.table() for report in reports[-3:]), sep="\n", flush=True)
    return reports


if __name__ == "__main__":
    raise SystemExit(main())
