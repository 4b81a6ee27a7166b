"""A process that asks a system as often as its shared limit allows, until its time is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from pv_testing.config import system_config
from pv_testing.config.sections import Secret, SharedLimitSection
from pv_testing.contracts.load import load_contract
from pv_testing.core import priority
from pv_testing.core.errors import DeadlineExceeded, RateLimited
from pv_testing.ledger import Ledger
from pv_testing.providers.session import open_session
from pv_testing.transports.rest import RestSession


@dataclass(frozen=True)
class Work:
    """What a process does.

    Attributes:
        address: of the system.
        ledger: the ledger's URL.
        redis: that of a Redis; empty where the ledger keeps the timetable.
        seconds: for how long it asks.
        width: how many requests at a time.
        requests: how many requests a second the system takes.
        priority: of its requests.
    """

    address: str
    ledger: str
    redis: str = ""
    seconds: float = 20.0
    width: int = 8
    requests: int = 25
    priority: priority.Priority = priority.Priority.NORMAL


def ask(work: Work, link: Connection) -> None:
    """Send the name under which the process leases, wait for a word, ask, and send how many slots it gave up."""
    asyncio.run(_ask(work, link))


async def _ask(work: Work, link: Connection) -> None:
    with Ledger(work.ledger) as ledger, priority.using(work.priority):
        async with opened(work, ledger) as session:
            governor = session.throttle.governor
            assert governor is not None
            link.send(governor.requester)
            await asyncio.to_thread(link.recv)
            until = time.monotonic() + work.seconds
            await asyncio.gather(*(_one_after_another(session, until) for _ in range(work.width)))
            link.send(governor.given_up)


def opened(work: Work, ledger: Ledger) -> RestSession:
    """Return a session as a task opens it."""
    limit = SharedLimitSection(requests=work.requests)
    if work.redis:
        limit = SharedLimitSection(requests=work.requests, redis_url=Secret(work.redis))
    config = system_config("lims", base_url=work.address, api_key="bench-key").overlay(shared_limit=limit)
    return open_session(config, load_contract("lims_custom"), ledger)


async def _one_after_another(session: RestSession, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(RateLimited, DeadlineExceeded):
            await session.request("GET", "/samples", timeout=max(0.1, left))
