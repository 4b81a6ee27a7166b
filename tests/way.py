"""A service request's way through systems: steps that are processes of their own, and can be killed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pv_testing.ledger import Ledger
from sandbox.proxy import Proxy
from tests import way_worker, yaml_text
from tests.forks import server

PROJECT = Path(__file__).parents[1]
DEADLINE = 1500.0
SETTLED = 0.7
"""Seconds without a new write after which a system has taken what a killed attempt had sent."""
LONGEST_SETTLING = 10
RETRY_DELAY = 0.5
"""Seconds after which a step that did not end well is tried again, as a task is: a search that lags takes some."""
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass
class Way:
    """Runs steps of the way, each as a process of its own.

    Attributes:
        directory: for the configuration, the ledger and the logs.
        proxies: stand before the systems, and count the requests.
        attempts: how many processes were started.
        killed: how many of them were killed.
    """

    directory: Path
    proxies: Sequence[Proxy]
    attempts: int = field(default=0, init=False)
    killed: int = field(default=0, init=False)
    _seen: dict[str, int] = field(default_factory=dict, init=False)
    _writes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.config.write_text(yaml_text.dump(self.configuration()), encoding="utf-8")

    def configuration(self) -> dict[str, Any]:
        """Return the configuration of all systems of the way."""
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        """Return the environment variables that the configuration names."""
        return {}

    def lease(self) -> float:
        """Return the seconds by which the clock goes ahead after each kill: none where attempts wait for the lease."""
        return 0.0

    def carried(self) -> Path | None:
        """Return the file that gets what the next attempt carries; none where it isn't read back."""
        return None

    def attend(self) -> None:
        """Do what a person does where a step did not end well: nothing, unless records wait for one."""

    def writes(self) -> int:
        """Return how many writing requests have reached the proxies."""
        for proxy in self.proxies:
            seen = self._seen.get(proxy.url, 0)
            new = proxy.requests(seen)
            self._writes += sum(1 for request in new if request["method"] in WRITING)
            self._seen[proxy.url] = max((request["number"] for request in new), default=seen)
        return self._writes

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.directory / "integrations.yaml"

    @property
    def ledger(self) -> str:
        """The address of the ledger."""
        return f"sqlite:///{self.directory / 'ledger.sqlite'}"

    def step(self, name: str, *, kill_after: Sequence[int] = (), attempts: int = 20) -> int:
        """Run a step until it ends well, and return how many attempts it took.

        Args:
            name: of the step.
            kill_after: each number kills an attempt with SIGKILL when the step has sent so many writes.
            attempts: how many there may be.

        Raises:
            TimeoutError: it did not end, or not well; the message names the last log.
        """
        begin = self.writes()
        give_up = time.monotonic() + DEADLINE
        kills = list(kill_after)
        for attempt in range(1, attempts + 1):
            kill_at = begin + kills.pop(0) if kills else None
            ended = self._attempt(name, kill_at, give_up)
            if ended == 0:
                return attempt
            if ended > 0:
                self.attend()
                time.sleep(RETRY_DELAY)
        last = self._log(name).read_text(encoding="utf-8", errors="replace")[-3000:]
        raise TimeoutError(f"{name} did not end well in {attempts} attempts; see {self._log(name)}:\n{last}")

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return how many records the ledger has of each system, kind and state; its audit chain verifies."""
        with Ledger(self.ledger) as ledger:
            ledger.verify()
            return ledger.counts()

    def events(self) -> int:
        """Return how many events the audit trail has, but for how far sweeps have come; it verifies."""
        with Ledger(self.ledger) as ledger:
            ledger.verify()
            return sum(1 for event in ledger.events() if event.action != "mark")

    def _log(self, name: str) -> Path:
        return self.directory / f"{self.attempts:02}-{name}.log"

    def _attempt(self, name: str, kill_at: int | None, give_up: float) -> int:
        self.attempts += 1
        owner, log = f"try {self.attempts}", self._log(name)
        ahead = self.lease() * self.killed
        asked = way_worker.Asked(name, self.config, self.ledger, owner, self.variables(), log, ahead, self.carried())
        process = server().Process(target=way_worker.work, args=(asked,))
        process.start()
        try:
            return self._watch(process, kill_at, give_up, log)
        finally:
            process.kill()
            process.join()
            process.close()

    def _watch(self, process: Any, kill_at: int | None, give_up: float, log: Path) -> int:
        while process.is_alive():
            if time.monotonic() > give_up:
                raise TimeoutError(f"the step did not end in {DEADLINE:g} s; see {log}")
            if kill_at is not None and self.writes() >= kill_at:
                process.kill()
                self.killed += 1
                kill_at = None
                if self.lease():
                    self._let_settle()
            process.join(0.1 if kill_at is None else 0.005)
        return int(process.exitcode)

    def _let_settle(self) -> None:
        """Wait for what a killed attempt had sent: the next attempt's clock is ahead, and a busy machine is slow."""
        seen = self.writes()
        for _ in range(LONGEST_SETTLING):
            time.sleep(SETTLED)
            before, seen = seen, self.writes()
            if before == seen:
                return
