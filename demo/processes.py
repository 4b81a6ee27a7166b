"""Starts the components as processes of their own, watches them, and stops them."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

LAST_LINES = 15
POLL = 0.2
PORTS_TRIED = 50
GRACE = ((signal.SIGINT, 10.0), (signal.SIGTERM, 4.0), (signal.SIGKILL, 4.0))

T = TypeVar("T")


class DemoError(Exception):
    """The demo can't go on; the message says why and where to read more."""


@dataclass
class Component:
    """One process that was started, the leader of its own process group.

    Attributes:
        name: in messages and of its log.
        process: the process itself.
        log: the file that takes all that it prints.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group, which may be gone already."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def last_words(self) -> str:
        """The log's name and its last lines."""
        return last_words(self.log)


def last_words(log: Path) -> str:
    """Return the log's name and its last lines."""
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join([f"The end of {log}:", *(f"  | {line}" for line in lines)])


class Components:
    """The processes that were started; leaving the context stops them, the last first.

    Args:
        logs: the folder of their logs.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.started: list[Component] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unwinding: object) -> None:
        self.stop()

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
    ) -> Component:
        """Start one component in its own process group and session.

        Args:
            name: in messages; its log is ``NAME.log``.
            command: the program and its arguments.
            environment: its whole environment.
            folder: its working folder.
        """
        log = self.logs / f"{name}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - the commands are this package's own
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        component = Component(name, process, log)
        self.started.append(component)
        return component

    def check(self) -> None:
        """Notice a component that has ended by itself.

        Raises:
            DemoError: one has; the message ends with the last lines of its log.
        """
        for component in self.started:
            if component.ended():
                code = component.process.returncode
                raise DemoError(f"{component.name} ended by itself with exit code {code}.\n{component.last_words()}")

    def wait_for(self, activity: str, ready: Callable[[], T | None], *, seconds: float, poll: float = POLL) -> T:
        """Ask again and again until something is there, while all components live.

        Args:
            activity: the awaited work, in words for the message.
            ready: gives ``None`` as long as it isn't there.
            seconds: how long to wait at the most.
            poll: seconds between two questions.

        Raises:
            DemoError: it isn't there in time, or a component ended.
        """
        deadline = time.monotonic() + seconds
        while (answer := ready()) is None:
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(component.last_words() for component in self.started)
                raise DemoError(f"{activity} took longer than {seconds:.0f} s.\n{logs}")
            time.sleep(poll)
        return answer

    def stop(self) -> None:
        """Stop every component, politely first; each is the leader of a group, so that its children go with it."""
        remaining = list(reversed(self.started))
        for number, grace in GRACE:
            for component in remaining:
                component.signal(number)
            remaining = self._still_there(remaining, grace)
        for component in self.started:
            component.signal(signal.SIGKILL)  # children that outlive their leader
        self.started.clear()

    @staticmethod
    def _still_there(components: Iterable[Component], seconds: float) -> list[Component]:
        deadline = time.monotonic() + seconds
        remaining = [component for component in components if not component.ended()]
        while remaining and time.monotonic() < deadline:
            time.sleep(POLL)
            remaining = [component for component in remaining if not component.ended()]
        return remaining


def free_port(preferred: int, *, fixed: bool = False) -> int:
    """Return a free TCP port of 127.0.0.1: the preferred one, or the next that is free.

    It is held until this process ends, so that another demo that starts meanwhile takes another port.

    Args:
        preferred: the port to try first.
        fixed: take no other.

    Raises:
        DemoError: none is free.
    """
    for port in (preferred,) if fixed else range(preferred, preferred + PORTS_TRIED):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            if _hold(port):
                return port
    tried = str(preferred) if fixed else f"{preferred} to {preferred + PORTS_TRIED - 1}"
    raise DemoError(
        f"No free port on 127.0.0.1 (tried {tried}). Stop the program that uses it, or name another with --port."
    )


def _hold(port: int) -> bool:
    """Hold a port by a name that goes with the process; where the system has no such names, every port is held."""
    if sys.platform != "linux":
        return True
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(f"\0pv-testing-demo-{port}")
    except OSError:
        holder.close()
        return False
    atexit.register(holder.close)
    return True
