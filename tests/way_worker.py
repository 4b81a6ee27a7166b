"""One step of a service request's way through the systems, as a process that can be killed."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pv_testing.billing.invoicing import create_invoices
from pv_testing.config import load_config
from pv_testing.exchange.report import Report
from pv_testing.integrations import connect
from pv_testing.inventory.stock import draw_consumables, move_stock
from pv_testing.ledger import Ledger
from pv_testing.projects.task_updates import update_tasks
from pv_testing.projects.tasks import create_tasks
from pv_testing.projects.time_entries import log_hours
from pv_testing.quality.nonconformances import report_non_conformances
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from pv_testing.samples.statuses import pull_statuses, push_statuses
from tests.chaos.clerk import find_and_raise_capas

STEPS = {
    "intake": ("lims", create_samples),
    "results": ("lims", upload_results),
    "pull": ("lims", pull_statuses),
    "push": ("lims", push_statuses),
    "reports": ("qms", report_non_conformances),
    "capas": ("qms", find_and_raise_capas),
    "tasks": ("pm", create_tasks),
    "updates": ("pm", update_tasks),
    "hours": ("pm", log_hours),
    "invoices": ("erp", create_invoices),
    "stock": ("erp", move_stock),
    "consumables": ("erp", draw_consumables),
}


@dataclass(frozen=True)
class Asked:
    """What an attempt is told.

    Attributes:
        step: of :data:`STEPS`.
        config: the configuration's file.
        ledger: its address.
        owner: the name of the attempt.
        variables: of the environment, which the configuration names.
        log: the file to which the attempt writes.
        ahead: seconds by which its clock is ahead, so that the leases of killed attempts have ended.
        carried: the file that gets what the attempt carries; none where it isn't read back.
    """

    step: str
    config: Path
    ledger: str
    owner: str
    variables: Mapping[str, str]
    log: Path
    ahead: float = 0.0
    carried: Path | None = None


def work(asked: Asked) -> None:
    """Run the step over every service request; the process ends with 0 when every record is in effect."""
    now = time.time
    time.time = lambda: now() + asked.ahead
    with asked.log.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=log, force=True)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        os.environ.update({**asked.variables, "PV_CONFIG": str(asked.config)})
        with Ledger(asked.ledger) as ledger:
            reports = asyncio.run(_attempt(asked, ledger))
        print(*(report.table() for report in reports), sep="\n", flush=True)
    sys.exit(any(report.error is not None or report.not_in_effect() for report in reports))


async def _attempt(asked: Asked, ledger: Ledger) -> list[Report]:
    systems = load_config(asked.config).systems
    system, step = STEPS[asked.step]
    framework = connect(systems["framework"].ready(), ledger=ledger, owner=asked.owner)
    other = connect(systems[system].ready(), ledger=ledger, owner=asked.owner)
    if asked.carried is not None:
        _record(other, asked.carried)
    async with framework, other:
        listed = await framework.alist("list_service_requests")
        made = await step(framework, other, [request["id"] for request in listed])
    return list(made) if isinstance(made, Sequence) else [made]


def _record(client: Any, carried: Path) -> None:
    """Have a client write down what each exchange is to carry, before it does."""
    exchange = client.aexchange

    async def recorded(operation: str, records: Sequence[Any], **how: Any) -> Report:
        with carried.open("ab") as file:
            pickle.dump((operation, list(records)), file)
        return await exchange(operation, records, **how)

    client.aexchange = recorded
