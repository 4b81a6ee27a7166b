"""A process that asks a system as often as its shared limit allows, until its time is over.

It prints the name under which it leases, waits for a line, and asks for as many seconds as its arguments say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any

from pv_testing.config import system_config
from pv_testing.config.sections import Secret, SharedLimitSection
from pv_testing.contracts.load import load_contract
from pv_testing.core import priority
from pv_testing.core.errors import DeadlineExceeded, RateLimited
from pv_testing.ledger import Ledger
from pv_testing.providers.session import open_session
from pv_testing.transports.rest import RestSession


def opened(given: dict[str, Any], ledger: Ledger) -> RestSession:
    """Return a session as a task opens it.

    Args:
        given: ``address``, ``limit``, and perhaps ``redis_url``.
        ledger: of the laboratory.
    """
    keys = {**given["limit"], **({"redis_url": Secret(given["redis_url"])} if given.get("redis_url") else {})}
    config = system_config("lims", base_url=given["address"], api_key="bench-key")
    config = config.overlay(shared_limit=SharedLimitSection(**keys))
    return open_session(config, load_contract("lims_custom"), ledger)


async def _ask(session: RestSession, seconds: float, width: int) -> int:
    until = time.monotonic() + seconds
    sent = 0

    async def work() -> None:
        nonlocal sent
        while time.monotonic() < until:
            with contextlib.suppress(RateLimited, DeadlineExceeded):
                await session.request("GET", "/samples", timeout=max(0.1, until - time.monotonic()))
                sent += 1

    await asyncio.gather(*(work() for _ in range(width)))
    return sent


async def _main(given: dict[str, Any]) -> None:
    with Ledger(given["ledger"]) as ledger, priority.using(priority.Priority(given.get("priority", 1))):
        async with opened(given, ledger) as session:
            governor = session.throttle.governor
            assert governor is not None
            print(governor.requester, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            print(await _ask(session, given["seconds"], given["width"]), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
