"""Attempts of a task that carry a service request into a LIMS, each a process, which SIGKILL ends where a test says.

The processes are forks of a server that has imported everything, so that one begins within milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pv_testing.config import SystemConfig
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.samples.intake import create_samples
from pv_testing.samples.results import upload_results
from tests.forks import server

LATER = 600.0
"""Seconds by which the clock of each attempt is ahead of the one before, so that the leases of the dead have ended."""
SETTLED = 0.2
"""Seconds after which a LIMS has taken what a killed process had sent; a clock that is ahead doesn't wait for that."""
LONGEST = 60.0

log = logging.getLogger(__name__)


class AtWrite(NamedTuple):
    """The process ends itself at a write to its ledger.

    Attributes:
        write: ``claim``, ``settle`` or ``record``, the note of a file.
        kind: of the records; of a note, the operation.
        done: whether the write takes effect before.
    """

    write: str
    kind: str
    done: bool


class AtArrival(NamedTuple):
    """The process is killed from outside as soon as the LIMS has so many records of a kind more than before."""

    kind: str
    number: int


Moment = AtWrite | AtArrival


class KilledLedger(Ledger):
    """A ledger whose process is killed at a moment."""

    def __init__(self, url: str, moment: Moment | None) -> None:
        super().__init__(url)
        self._moment = moment

    def claim(self, system: str, kind: str, *arguments: Any, **named: Any) -> Any:
        with self._killed("claim", kind):
            return super().claim(system, kind, *arguments, **named)

    def settle(self, settlements: Any, **named: Any) -> Any:
        with self._killed("settle", settlements[0].claimed.kind):
            return super().settle(settlements, **named)

    def record(self, action: str, *, kind: str = "", **named: Any) -> None:
        with self._killed("record", kind):
            super().record(action, kind=kind, **named)

    @contextmanager
    def _killed(self, write: str, kind: str) -> Iterator[None]:
        if self._moment == AtWrite(write, kind, done=False):
            os.kill(os.getpid(), signal.SIGKILL)
        yield
        if self._moment == AtWrite(write, kind, done=True):
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Task:
    """What an attempt is told.

    Attributes:
        framework: the arguments of the framework's client.
        lims: the LIMS's section of the configuration.
        ledger: its address.
        log: the file to which every attempt writes.
    """

    framework: Mapping[str, Any]
    lims: Mapping[str, Any]
    ledger: str
    log: Path


class Sender:
    """Runs attempts one after the other.

    Args:
        task: what each is told.
        arrived: says how many records of a kind the LIMS has.

    Attributes:
        killed: how many were killed.
    """

    def __init__(self, task: Task, arrived: Callable[[str], int]) -> None:
        self._task, self._arrived = task, arrived
        self._attempts = self.killed = 0

    def attempt(self, moment: Moment | None = None) -> bool:
        """Run an attempt, which may be killed; return whether it says that every record is in effect."""
        self._attempts += 1
        enough = self._enough(moment)
        process = server().Process(target=_attempt, args=(self._task, moment, LATER * self._attempts))
        process.start()
        give_up = time.monotonic() + LONGEST
        while process.is_alive():
            if enough() or time.monotonic() > give_up:
                process.kill()
            process.join(0.005)
        assert time.monotonic() < give_up, f"an attempt hangs; see {self._task.log}"
        if process.exitcode == -signal.SIGKILL:
            self.killed += 1
            time.sleep(SETTLED)
        return process.exitcode == 0

    def _enough(self, moment: Moment | None) -> Callable[[], bool]:
        """Return what says whether the attempt is to be killed now."""
        if not isinstance(moment, AtArrival):
            return lambda: False
        wanted = self._arrived(moment.kind) + moment.number
        return lambda: self._arrived(moment.kind) >= wanted


def _attempt(task: Task, moment: Moment | None, later: float) -> None:
    now = time.time
    time.time = lambda: now() + later
    logging.basicConfig(filename=task.log, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    with KilledLedger(task.ledger, moment) as ledger:
        sys.exit(0 if asyncio.run(_carry(task, ledger)) else 1)


async def _carry(task: Task, ledger: Ledger) -> bool:
    framework = FrameworkClient(**task.framework, ledger=ledger)
    lims = LIMSClient(config=SystemConfig(system="lims", **task.lims).ready(), ledger=ledger)
    async with framework, lims:
        reports = [await create_samples(framework, lims, [1]), await upload_results(framework, lims, [1])]
    for report in reports:
        log.info("%s", report.table())
    return not any(report.error or report.not_in_effect() for report in reports)
