"""Processes that can be killed at any moment, begun by a fork of one that has imported everything already."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest import mock

PROJECT = Path(__file__).parents[1]
IMPORTED = (
    *("tests.forks", "tests.way_worker", "tests.chaos.worker", "tests.integration.every_method.sender"),
    *("sandbox.importer", "jsonschema", "psycopg", "pytest", "zeep"),
    *("alembic.command", "tests.preloaded"),
)
"""What most processes import; that takes longer than what they are begun for. A process has one fork server."""


@cache
def server() -> Any:
    """Start the fork server, which imports everything once, so that a process begins within milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)])):
        forkserver.ensure_running()
    return context


class ModuleProcess:
    """A process that runs a module, as ``python -m`` does.

    Args:
        command: the module and its arguments.
        environment: the whole environment.
        log: the file that takes what the process prints.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        log.touch()
        self._process = server().Process(target=_run, args=(tuple(command), dict(environment), log))
        self._process.start()
        self.pid = int(self._process.pid)

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the process lives."""
        code: int | None = self._process.exitcode
        return code

    def wait_for(self, word: str, seconds: float = 60.0) -> None:
        """Wait until the process has printed a word.

        Raises:
            TimeoutError: it has not, or the process has ended before.
        """
        give_up = time.monotonic() + seconds
        while word not in (output := self.log.read_text(encoding="utf-8")):
            if self.poll() is not None or time.monotonic() > give_up:
                raise TimeoutError(f"process {self.pid} has not said {word!r}, but: {output}")
            time.sleep(0.002)

    def stopped(self) -> bool:
        """Whether the process lives, and a signal has stopped it."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] == "T"

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, which may be gone already."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end.

        Raises:
            TimeoutError: the process lives on.
        """
        self._process.join(seconds)
        if self.poll() is None:
            raise TimeoutError(f"process {self.pid} lives after {seconds} s")

    def end(self) -> None:
        """Kill the process if it lives, and release what belongs to it."""
        self._process.kill()
        self._process.join()
        self._process.close()


@contextmanager
def module_process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[ModuleProcess]:
    """Run a module in a :class:`ModuleProcess` that doesn't outlive the context."""
    process = ModuleProcess(command, environment, log)
    try:
        yield process
    finally:
        process.end()


def _run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(environment)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(sink, stream)
    os.close(sink)
    module, *arguments = command
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
