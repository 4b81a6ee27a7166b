"""Attempts of a task that are killed with SIGKILL again and again, until one is left in peace."""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.forks import ModuleProcess, module_process

POLL = 0.01
"""Seconds between two looks at what has arrived."""
MISUSED = 2
"""The exit status of a command whose arguments are wrong, which no further attempt would mend."""


class Siege(ABC):
    """Runs a worker process until it ends well, and kills it on the way.

    Args:
        directory: for the logs.
        deadline: seconds after which all is given up.
    """

    def __init__(self, directory: Path, deadline: float) -> None:
        self.directory = directory
        self.give_up = time.monotonic() + deadline
        self.attempts = 0
        self.killed = 0

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the module that is the worker, and its arguments."""

    def secrets(self) -> Mapping[str, str]:
        """Return what the worker takes from its environment, because a command line is for everybody to read."""
        return {}

    @abstractmethod
    def arrived(self) -> int:
        """Return how many records have arrived so far."""

    def kill_at(self, moments: Iterable[int]) -> None:
        """Kill an attempt each time when so many records have arrived.

        Args:
            moments: the numbers, rising.
        """
        for number, moment in enumerate(moments, start=1):
            while self.killed < number and self.attempt(moment):
                pass

    def leave_in_peace(self) -> None:
        """Run attempts until one ends well."""
        while self.attempt():
            pass

    def attempt(self, kill_at: int | None = None) -> int:
        """Run one attempt, kill it when so many records have arrived; return its exit status."""
        self.attempts += 1
        with self._process() as process:
            while (status := process.poll()) is None:
                if time.monotonic() > self.give_up:
                    raise TimeoutError(self._stuck("the storm did not end in time"))
                if kill_at is not None and self.arrived() >= kill_at:
                    process.send_signal(signal.SIGKILL)
                    self.killed += 1
                    kill_at = None
                time.sleep(POLL)
        if status == MISUSED:
            raise RuntimeError(self._stuck("the worker does not understand its command line"))
        return status

    def _stuck(self, what: str) -> str:
        """Return the complaints and the last words of the last attempts."""
        logs = sorted(self.directory.glob("try-*.log"))[-2:]
        ends = "\n".join(f"{log.name}:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}" for log in logs)
        return f"{what}: {self.attempts} attempts, {self.killed} killed\n{ends}"

    def _process(self) -> AbstractContextManager[ModuleProcess]:
        log = self.directory / f"try-{self.attempts:03}.log"
        return module_process(self.command(), {**os.environ, **self.secrets()}, log)
