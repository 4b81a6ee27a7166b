"""A service request's way through real systems: each behind a fault proxy, and steps that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import sandbox
from pv_testing.ledger import Ledger
from sandbox.proxy import Proxy
from tests.live.senaite import plan

PROJECT = Path(__file__).parents[2]
API = "/senaite/@@API/senaite/v1"
DEADLINE = 1500.0
# A registration of 45 analyses takes 2.5 s on an idle machine. One that ends later than the timeout and the horizon
# together makes a second sample, as docs/explanation/design.md says of the horizon.
BUSY = {"attempt_timeout": 20, "total_timeout": 25, "horizon": 5}
QUICK = {"attempt_timeout": 8, "total_timeout": 10, "horizon": 2}
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass
class RoundTrip:
    """Runs steps of the way, each as a process of its own.

    Attributes:
        lab: the framework, and the judge of what it holds.
        proxy: stands before SENAITE.
        directory: for the configuration, the ledger and the logs.
        others: what stands before the other systems.
        sections: those systems' sections of the configuration.
        attempts: how many processes were started.
        killed: how many of them were killed.
    """

    lab: sandbox.Lab
    proxy: Proxy
    directory: Path
    others: Sequence[Proxy] = ()
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: int = 0
    killed: int = 0
    _config: Path = field(init=False)
    _seen: dict[str, int] = field(init=False, default_factory=dict)
    _writes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._config = self.directory / "integrations.yaml"
        self._config.write_text(yaml.safe_dump(self._configuration()), encoding="utf-8")

    @property
    def ledger(self) -> str:
        """The address of the ledger."""
        return f"sqlite:///{self.directory / 'ledger.sqlite'}"

    def step(self, name: str, *, kill_after: Sequence[int] = ()) -> int:
        """Run a step until it ends well, and return how many attempts it took.

        Args:
            name: of the step.
            kill_after: each number kills an attempt with SIGKILL when the step has sent so many writes.
        """
        begin = self.writes()
        give_up = time.monotonic() + DEADLINE
        kills = list(kill_after)
        attempts = 0
        while True:
            attempts += 1
            kill_at = begin + kills.pop(0) if kills else None
            if self._attempt(name, kill_at, give_up) == 0:
                return attempts

    def writes(self) -> int:
        """Return how many writing requests have reached the proxies."""
        for proxy in (self.proxy, *self.others):
            seen = self._seen.get(proxy.url, 0)
            new = proxy.requests(seen)
            self._writes += sum(1 for request in new if request["method"] in WRITING)
            self._seen[proxy.url] = max((request["number"] for request in new), default=seen)
        return self._writes

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

    def _attempt(self, name: str, kill_at: int | None, give_up: float) -> int:
        self.attempts += 1
        command = [sys.executable, "-m", "tests.live.worker", name, "--config", str(self._config)]
        command += ["--ledger", self.ledger, "--owner", f"try {self.attempts}"]
        path = self.directory / f"{self.attempts:02}-{name}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=PROJECT, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
            try:
                return self._watch(process, kill_at, give_up, path)
            finally:
                process.kill()
                process.wait()

    def _watch(self, process: subprocess.Popen[bytes], kill_at: int | None, give_up: float, log: Path) -> int:
        pause = threading.Event()
        while process.poll() is None:
            if time.monotonic() > give_up:
                raise TimeoutError(f"the step did not end in {DEADLINE:g} s; see {log}")
            if kill_at is not None and self.writes() >= kill_at:
                process.send_signal(signal.SIGKILL)
                self.killed += 1
                kill_at = None
            pause.wait(0.1)
        return process.returncode

    def _environment(self) -> Mapping[str, str]:
        """Return what the processes find in theirs; the addresses and secrets come from there."""
        credentials = self.lab.credentials
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
            "FRAMEWORK_BASE_URL": self.lab.framework_url,
            "FRAMEWORK_USERNAME": credentials.framework_username,
            "FRAMEWORK_PASSWORD": credentials.framework_password,
            "LIMS_BASE_URL": self.proxy.url + API,
            "LIMS_USERNAME": plan.INTEGRATION,
            "LIMS_PASSWORD": plan.INTEGRATION_PASSWORD,
        }

    def _configuration(self) -> dict[str, Any]:
        """Return the shipped configuration, in which only what speaks of the real systems is another."""
        shipped = yaml.safe_load((PROJECT / "config" / "integrations.yaml").read_text(encoding="utf-8"))
        return {
            "framework": {name: value for name, value in shipped["framework"].items() if name != "connection"},
            "lims": {
                "provider": "SENAITE",
                "contract": str(impatient(self.directory, **BUSY)),
                "base_url": "${LIMS_BASE_URL}",
                "auth_type": "basic",
                "username": "${LIMS_USERNAME}",
                "password": "${LIMS_PASSWORD}",
            },
            **self.sections,
        }


def impatient(directory: Path, **limits: float) -> Path:
    """Write the shipped contract with short deadlines, so that a killed attempt's leases end soon, and return its file.

    Args:
        directory: where it is written.
        limits: of the contract's section; without any, those for samples of a few analyses.
    """
    contract = yaml.safe_load((PROJECT / "include/mappings/lims_senaite.yaml").read_text(encoding="utf-8"))
    contract["limits"].update(limits or QUICK)
    # In this laboratory a module is inspected when it is received.
    contract["vocabularies"]["receipt"]["in"] = {"sample_received": "INSPECTION_COMPLETE"}
    path = directory / "lims_live.yaml"
    path.write_text(yaml.safe_dump(contract, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def storm(rate: float) -> list[dict[str, Any]]:
    """Return the faults that hit writes: lost answers, requests that never arrive, errors before and after the commit.

    Args:
        rate: the share of writes whose answer is lost after the commit; the others are rarer.
    """
    writes = f"POST {API}/*"
    return [
        {"route": writes, "kind": "drop_after", "rate": rate, "seed": 1},
        {"route": writes, "kind": "drop_before", "rate": rate / 4, "seed": 2},
        {"route": writes, "kind": "error", "status": 500, "rate": rate / 4, "seed": 3},
        {"route": writes, "kind": "html", "rate": rate / 4, "seed": 4},
        {"route": writes, "kind": "truncate", "rate": rate / 4, "seed": 5},
        {"route": writes, "kind": "rate_limit", "rate": rate / 4, "retry_after": 0.5, "seed": 6},
    ]
