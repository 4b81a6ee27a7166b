"""Carries a service request into Redmine, as a process that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterable

from pv_testing.config import load_config
from pv_testing.exchange.types import Record
from pv_testing.integrations import PMClient, QMSClient
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger
from tests.live.redmine import work


class Unfinished(Exception):
    """Another attempt must go on."""


async def carry(client: SystemClient, operation: str, records: Iterable[Record]) -> dict[str, str]:
    """Carry records and return their ids by key.

    Raises:
        Unfinished: some are not in effect.
    """
    report = await client.aexchange(operation, list(records))
    print(report.table(), flush=True)
    if report.error is not None or report.not_in_effect():
        raise Unfinished(f"{operation}: {report.error or report.not_in_effect()}")
    return {outcome.key: outcome.external_id for outcome in report.outcomes}


async def begin(pm: PMClient, _: QMSClient) -> None:
    """Plan the service request, and begin with all of it."""
    main = await carry(pm, "create_task", [work.task()])
    numbers = await carry(pm, "create_subtask", work.subtasks(main[work.SR]))
    await carry(pm, "update_task", work.statuses({**main, **numbers}, "IN_PROGRESS"))


async def finish(pm: PMClient, qms: QMSClient) -> None:
    """Enter the hours, report the failures, and complete everything."""
    main = await carry(pm, "create_task", [work.task()])
    numbers = await carry(pm, "create_subtask", work.subtasks(main[work.SR]))
    await carry(pm, "log_time_entry", work.hours(numbers))
    await carry(pm, "log_resource_usage", work.equipment(numbers))
    await carry(pm, "update_task", work.statuses(numbers, "COMPLETE"))
    progress = {"task_id": main[work.SR], "progress_percent": 99.5}
    await carry(pm, "update_project_progress", [Record(work.SR, progress)])
    await carry(pm, "update_task", work.statuses(main, "COMPLETE"))
    reports = await carry(qms, "create_nc_report", work.reports())
    capas = await carry(qms, "create_capa", [work.capa(list(reports.values()))])
    await carry(qms, "attach_file", work.files(capas[work.CAPA]))


PHASES = {"begin": begin, "finish": finish}


def main() -> int:
    """Run a phase and return 0 when every record is in effect."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=PHASES)
    for name in ("config", "ledger", "owner"):
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
    systems = load_config(asked.config).systems
    pm = PMClient(config=systems["pm"].ready(), ledger=ledger, owner=asked.owner)
    qms = QMSClient(config=systems["qms"].ready(), ledger=ledger, owner=asked.owner)
    async with pm, qms:
        await PHASES[asked.phase](pm, qms)


if __name__ == "__main__":
    raise SystemExit(main())
