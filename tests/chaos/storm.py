"""A laboratory under attack: what is killed when, what the LIMS suffers, and what must hold in the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

import sandbox
from pv_testing.ledger import Ledger

PROJECT = Path(__file__).parents[2]
FAULTS = (
    {"route": "POST /api/v2/samples*", "kind": "drop_after", "rate": 0.10, "seed": 1},
    {"route": "POST /api/v2/samples*", "kind": "rate_limit", "rate": 0.01, "burst": 3, "retry_after": 0.4, "seed": 2},
    {"route": "POST /api/v2/samples*", "kind": "error", "status": 500, "rate": 0.01, "burst": 3, "seed": 3},
    {"route": "POST /api/v2/samples*", "kind": "drop_before", "rate": 0.01, "seed": 4},
)


@dataclass(frozen=True)
class Storm:
    """How much is at stake and how hard it is hit.

    Attributes:
        requests: service requests in the laboratory.
        modules: modules of each.
        kills: how often the process is killed with SIGKILL, each time when a random number of samples has arrived.
        bulk: the most samples that one request carries; 1 sends each by itself.
        seed: of the random numbers.
        deadline: seconds after which the storm is given up.
    """

    requests: int
    modules: int
    kills: int
    bulk: int
    seed: int = 7
    deadline: float = 900.0


@dataclass(frozen=True)
class Verdict:
    """What the LIMS's own database, its request log and the ledger say in the end."""

    expected: int
    samples: int
    distinct: int
    kills: int
    attempts: int
    early_requests: int
    lost_answers: int
    audit_events: int
    confirmed: int
    sent_again: int
    seconds: float

    def lines(self) -> list[str]:
        """The verdict for people."""
        return [
            f"samples wanted {self.expected:,}, in the LIMS {self.samples:,}, distinct {self.distinct:,}",
            f"processes killed {self.kills}, attempts {self.attempts}",
            f"answers lost after the commit: {self.lost_answers}",
            f"requests before their Retry-After {self.early_requests}",
            f"audit trail verified: {self.audit_events:,} events; confirmed in the ledger {self.confirmed:,}",
            f"requests that write, sent by a last run in which nothing had changed: {self.sent_again}",
            f"{self.seconds:.0f} s",
        ]

    @property
    def holds(self) -> bool:
        """Whether the promise was kept: each record once, none missing, nobody hammered, the trail whole."""
        exact = self.expected == self.samples == self.distinct == self.confirmed
        return exact and self.early_requests == 0 and self.sent_again == 0


class Attack:
    """Runs one storm against a sandbox laboratory.

    Args:
        storm: how hard.
        lab: the laboratory.
        ledger: the address of the ledger.
        directory: for the contract and the logs.
    """

    def __init__(self, storm: Storm, lab: sandbox.Lab, ledger: str, directory: Path) -> None:
        self.storm = storm
        self.lab = lab
        self.ledger = ledger
        self.directory = directory
        self.attempts = 0
        self.killed = 0

    def run(self) -> Verdict:
        """Kill, retry and at last leave in peace; then judge."""
        started = time.monotonic()
        give_up = started + self.storm.deadline
        self.lab.faults("lims", *FAULTS)
        for number, threshold in enumerate(self._moments(), start=1):
            while self.killed < number and self._attempt(give_up, kill_at=threshold):
                pass
        while self._attempt(give_up):
            pass
        lost = sum(rule["hits"] for rule in self.lab.fault_report("lims") if rule["kind"] == "drop_after")
        writes = self._writes()
        self._attempt(give_up)
        return self._judge(lost, self._writes() - writes, time.monotonic() - started)

    def _moments(self) -> list[int]:
        total = self.storm.requests * self.storm.modules
        return sorted(random.Random(self.storm.seed).sample(range(1, total), self.storm.kills))

    def _attempt(self, give_up: float, kill_at: int | None = None) -> int:
        """Run one attempt, kill it when so many samples have arrived; return its exit status."""
        self.attempts += 1
        with self._process() as process:
            while process.poll() is None:
                if time.monotonic() > give_up:
                    process.kill()
                    raise TimeoutError(f"the storm did not end in {self.storm.deadline:.0f} s; see {self.directory}")
                if kill_at is not None and self._arrived() >= kill_at:
                    process.send_signal(signal.SIGKILL)
                    self.killed += 1
                    kill_at = None
                time.sleep(0.002)
            return process.returncode

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        credentials = self.lab.credentials
        command = [
            *(sys.executable, "-m", "tests.chaos.worker", "--ledger", self.ledger, "--contract", str(self._contract())),
            *("--framework", self.lab.framework_url, "--lims", self.lab.lims_url, "--owner", f"try {self.attempts}"),
            *("--username", credentials.framework_username, "--password", credentials.framework_password),
            *("--api-key", credentials.lims_api_key),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)])}
        with (self.directory / f"try-{self.attempts:03}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def _contract(self) -> Path:
        """The generic contract with short deadlines, so that a killed attempt's leases end soon."""
        path = self.directory / "lims_storm.yaml"
        if not path.exists():
            contract = yaml.safe_load((PROJECT / "include/mappings/lims_custom.yaml").read_text(encoding="utf-8"))
            contract["limits"].update(attempt_timeout=1, total_timeout=1.5, horizon=0.3)
            create = contract["operations"]["create_sample"]
            if self.storm.bulk == 1:
                del create["bulk"]
            else:
                create["bulk"]["size"] = self.storm.bulk
            path.write_text(yaml.safe_dump(contract, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def _arrived(self) -> int:
        return int(self.lab.lims_rows("SELECT count(*) AS n FROM samples")[0]["n"])

    def _writes(self) -> int:
        routes = ("/api/v2/samples", "/api/v2/samples/bulk")
        return sum(1 for r in self.lab.requests("lims") if r["method"] == "POST" and r["path"] in routes)

    def _judge(self, lost: int, sent_again: int, seconds: float) -> Verdict:
        samples = self.lab.samples()
        with Ledger(self.ledger) as ledger:
            return Verdict(
                expected=self.storm.requests * self.storm.modules,
                samples=len(samples),
                distinct=len({(sample["project_id"], sample["external_id"]) for sample in samples}),
                kills=self.killed,
                attempts=self.attempts,
                early_requests=len(self.lab.rate_violations("lims")),
                lost_answers=lost,
                audit_events=ledger.verify().count,
                confirmed=ledger.counts().get(("lims", "sample", "confirmed"), 0),
                sent_again=sent_again,
                seconds=seconds,
            )
