"""A worker of the live tests: carries records phase by phase, as a process that can be killed."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from pv_testing.core.records import Record
from pv_testing.integrations.client import SystemClient
from pv_testing.ledger import Ledger

Attempt = Callable[[argparse.Namespace, Ledger], Coroutine[Any, Any, None]]


class PhaseIncomplete(Exception):
    """Another attempt must go on."""


async def carry(client: SystemClient, operation: str, records: Iterable[Record]) -> dict[str, str]:
    """Carry records and return their ids by key.

    Raises:
        PhaseIncomplete: some are not in effect.
    """
    report = await client.aexchange(operation, list(records))
    print(report.table(), flush=True)
    if report.error is not None or report.not_in_effect():
        raise PhaseIncomplete(f"{operation}: {report.error or report.not_in_effect()}")
    return {outcome.key: outcome.external_id for outcome in report.outcomes}


def run(description: str, phases: Iterable[str], attempt: Attempt, *further: str) -> int:
    """Run the phase that the command line names, and return 0 when every record is in effect.

    Args:
        description: of the worker.
        phases: that there are.
        attempt: carries the records of one.
        further: arguments besides ``config``, ``ledger`` and ``owner``.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("phase", choices=phases)
    for name in ("config", "ledger", "owner", *further):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    with Ledger(asked.ledger) as ledger:
        try:
            asyncio.run(attempt(asked, ledger))
        except PhaseIncomplete as unfinished:
            print(unfinished, flush=True)
            return 1
    return 0
