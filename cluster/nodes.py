"""The processes of the cluster: each leads a session, is restarted when it ends, is killed with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from demo.processes import GRACE, last_words

if TYPE_CHECKING:
    from typing_extensions import Self

POLL = 0.5


@dataclass
class Node:
    """One process with its children, such as a Celery worker with the supervisors and tasks in it.

    Attributes:
        name: in messages and of its log.
        command: the program and its arguments.
        environment: its whole environment.
        folder: its working folder.
        log: takes all that it prints, over all its restarts.
        user: as whom it runs; ``None`` as the caller.
        starts: how often it was started.
        down_until: it isn't restarted before this moment of ``time.monotonic()``.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    user: str | None = None
    starts: int = 0
    down_until: float = 0.0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process as the leader of a new session; nothing of an earlier one lives on, as in a container."""
        self.signal(signal.SIGKILL)
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(  # noqa: S603 - the commands are those of compose.yaml
                list(self.command),
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
            )
        self.starts += 1

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process is None or self.process.poll() is not None

    def family(self) -> list[psutil.Process]:
        """Return the process and all that it has started, directly or not, also where it has ended itself."""
        if self.process is None:
            return []
        family = []
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getsid(pid) == self.process.pid:
                    family.append(psutil.Process(pid))
        return family

    def tasks(self) -> int:
        """Return how many tasks run in a worker: its children are its pool, and their children are tasks."""
        family = self.family()
        pool = {each.pid for each in family if self.process is not None and _parent(each) == self.process.pid}
        return sum(1 for each in family if _parent(each) in pool)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the whole family and return how many took it."""
        reached = 0
        for each in self.family():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                each.send_signal(number)
                reached += 1
        return reached

    def kill(self, down: float) -> int:
        """Kill the whole family, keep it down for some seconds, and return how many processes were killed."""
        self.down_until = time.monotonic() + down
        return self.signal(signal.SIGKILL)


def _parent(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.ppid())
    return 0


class Nodes:
    """Keeps nodes running, as ``restart: always`` does, until the context is left; then stops them, the last first."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: list[Node] = []
        self._leaving = threading.Event()
        self._watch = threading.Thread(target=self._keep_running, name="restarts", daemon=True)
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *unwinding: object) -> None:
        self._leaving.set()
        self._watch.join()
        for node in self.running:
            node.signal(signal.SIGCONT)
        for node in reversed(self.running):
            _stop(node)

    def add(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, user: str | None = None
    ) -> Node:
        """Start a node and keep it running.

        Args:
            name: in messages; its log is ``NAME.log``.
            command: the program and its arguments.
            environment: its whole environment.
            folder: its working folder.
            user: as whom it runs; ``None`` as the caller.
        """
        node = Node(name, command, environment, folder, self.logs / f"{name}.log", user)
        node.start()
        self.running.append(node)
        return node

    def of(self, service: str) -> list[Node]:
        """Return the nodes of a service, such as ``worker``."""
        return [node for node in self.running if node.name.rpartition("-")[0] == service]

    def restarts(self) -> dict[str, int]:
        """Return how often each node was started again."""
        return {node.name: node.starts - 1 for node in self.running if node.starts > 1}

    def last_words(self) -> Iterator[str]:
        """Give the last lines of each log."""
        return (last_words(node.log) for node in self.running)

    def _keep_running(self) -> None:
        while not self._leaving.wait(POLL):
            for node in list(self.running):
                if node.ended() and time.monotonic() >= node.down_until:
                    node.start()


def _stop(node: Node) -> None:
    """Ask a node to end, more and more firmly, and leave none of its family behind."""
    for number, grace in GRACE:
        if node.process is None or node.ended():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(node.process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.process.wait(grace)
    node.signal(signal.SIGKILL)
