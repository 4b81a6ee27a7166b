"""A third party's server on this machine: installed once, seeded once, started from the seeded data each time.

Tests that run side by side have an instance each, with its own data, process and port; they share the installation.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import requests

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN = 20.0
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}


class Missing(RuntimeError):
    """What a system needs is not on this machine."""


def home() -> Path:
    """Return where live systems are installed: ``$LIVE_HOME``, else ``.run/live`` in the clone.

    An installation says in its own files where it is, so that a link to it is followed.
    """
    return Path(os.environ.get("LIVE_HOME") or ROOT / ".run" / "live").resolve()


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class LiveServer:
    """A server that belongs to the live tests.

    Args:
        instance: its name; each has its own data, and what is done in one is seen in no other.
        place: the directory of the installation; under ``$LIVE_HOME``, else in the clone, by default.

    Attributes:
        home: the directory of the instance, which is made anew at each start.
    """

    name = ""
    ready_within = 120.0

    def __init__(self, instance: str = "main", place: Path | None = None) -> None:
        self.place = place or home() / self.name.lower()
        self.home = self.place / "instances" / instance
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._lock: TextIO | None = None

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.home / "server.log"

    @property
    def origin(self) -> str:
        """The server's address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def install(self) -> None:
        """Install what isn't there yet.

        Raises:
            Missing: this machine can't run it.
            RuntimeError: something failed; the message names the log.
        """
        raise NotImplementedError

    def seed(self) -> None:
        """Make the laboratory's data where there is none yet, or that of another plan, and keep it for all instances.

        Raises:
            RuntimeError: something failed; the message names the log.
        """
        raise NotImplementedError

    def restore(self) -> None:
        """Give the instance, whose directory is empty, the seeded data."""
        raise NotImplementedError

    def command(self) -> Sequence[str | Path]:
        """Return what serves in the foreground at the chosen port."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Say whether the server is ready."""
        raise NotImplementedError

    def start(self, port: int = 0) -> None:
        """Serve on a free port unless one is named.

        Raises:
            Missing: this machine can't run it.
            RuntimeError: something failed; the message names the log.
        """
        self._take()
        with self._alone():
            self.install()
            self.seed()
        self._clear()
        self.restore()
        self.port = port or free_port()
        command = self.command()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **QUIET},
            )
        (self.home / "server.pid").write_text(str(self.process.pid), encoding="utf-8")
        self._await()

    def stop(self) -> None:
        """Stop the server that was started here, and only that."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def run(self, command: Sequence[str | Path], within: float = 600.0, **environment: str) -> str:
        """Run a command to its end and return what it printed; everything goes into the log.

        Raises:
            RuntimeError: it failed or took too long.
        """
        log = self.place / "install.log"
        variables: Mapping[str, str] = {**os.environ, **QUIET, **environment}
        with log.open("ab") as file:
            try:
                done = subprocess.run(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    stdin=subprocess.DEVNULL,
                    timeout=within,
                    env=variables,
                    check=True,
                )
            except subprocess.TimeoutExpired as error:
                raise RuntimeError(f"{command[0]} did not end in {within:g} s; see {log}") from error
            except subprocess.CalledProcessError as error:
                raise RuntimeError(f"{command[0]} failed; see {log}") from error
            file.write(done.stdout)
        return done.stdout.decode()

    def _take(self) -> None:
        """Keep others off the instance, and end the server that a killed run has left on it."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = (self.home / "lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RuntimeError(f"another run uses {self.home}; wait for it, or set LIVE_HOME") from error
        self._lock = lock
        left = self.home / "server.pid"
        if left.exists():
            pid = left.read_text(encoding="utf-8")
            listed = subprocess.run(["ps", "-o", "command=", "-p", pid], capture_output=True, text=True, check=False)
            if str(self.home) in listed.stdout:
                os.killpg(int(pid), signal.SIGKILL)
            left.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one instance at a time install and seed; the others wait, and find all of it done."""
        with (self.place / "install.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clear(self) -> None:
        """Remove what the instance has from an earlier run."""
        for left in self.home.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != "lock":
                left.unlink()

    def _await(self) -> None:
        assert self.process is not None
        log = self.log
        give_up = time.monotonic() + self.ready_within
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} did not start; see {log}")
            with suppress(requests.ConnectionError, requests.Timeout):
                if self.answers():
                    return
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"{self.name} did not answer within {self.ready_within:g} s; see {log}")
