"""Carries a service request into Redmine, as a process that can be killed."""

from __future__ import annotations

import argparse

from pv_testing.config import load_config
from pv_testing.core.records import Record
from pv_testing.integrations import PMClient, QMSClient
from pv_testing.ledger import Ledger
from tests.live.phases import carry, run
from tests.live.redmine import work


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


async def _attempt(asked: argparse.Namespace, ledger: Ledger) -> None:
    systems = load_config(asked.config).systems
    pm = PMClient(config=systems["pm"].ready(), ledger=ledger, owner=asked.owner)
    qms = QMSClient(config=systems["qms"].ready(), ledger=ledger, owner=asked.owner)
    async with pm, qms:
        await PHASES[asked.phase](pm, qms)


if __name__ == "__main__":
    raise SystemExit(run(__doc__ or "", PHASES, _attempt))
