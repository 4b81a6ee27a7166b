"""A laboratory under attack: what is killed when, what the LIMS suffers, and what must hold in the end."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import sandbox
from pv_testing.ledger import Ledger
from tests import yaml_text
from tests.chaos.siege import Siege
from tests.forks import PROJECT

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
class StormVerdict:
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
        """Whether the promise was kept: each record once, none missing, no system hammered, the trail whole."""
        exact = self.expected == self.samples == self.distinct == self.confirmed
        return exact and self.early_requests == 0 and self.sent_again == 0


class StormAttack(Siege):
    """Runs one storm against a sandbox laboratory.

    Args:
        storm: how hard.
        lab: the laboratory.
        ledger: the address of the ledger.
        directory: for the contract and the logs.
    """

    def __init__(self, storm: Storm, lab: sandbox.Lab, ledger: str, directory: Path) -> None:
        super().__init__(directory, storm.deadline)
        self.storm = storm
        self.lab = lab
        self.ledger = ledger

    def run(self) -> StormVerdict:
        """Kill, retry and at last leave in peace; then count what arrived."""
        started = time.monotonic()
        self.lab.faults("lims", *FAULTS)
        self.kill_at(self._moments())
        self.leave_in_peace()
        lost = sum(rule["hits"] for rule in self.lab.fault_report("lims") if rule["kind"] == "drop_after")
        writes = self._writes()
        self.attempt()
        return self._judge(lost, self._writes() - writes, time.monotonic() - started)

    def _moments(self) -> list[int]:
        total = self.storm.requests * self.storm.modules
        return sorted(random.Random(self.storm.seed).sample(range(1, total), self.storm.kills))

    def command(self) -> list[str]:
        """Return the worker that creates samples."""
        return [
            *("tests.chaos.worker", "--ledger", self.ledger, "--contract", str(self._contract())),
            *("--framework", self.lab.framework_url, "--lims", self.lab.lims_url, "--owner", f"try {self.attempts}"),
            *("--username", self.lab.credentials.framework_username),
        ]

    def secrets(self) -> dict[str, str]:
        """Return the password and the key."""
        known = self.lab.credentials
        return {"PV_STORM_PASSWORD": known.framework_password, "PV_STORM_API_KEY": known.lims_api_key}

    def arrived(self) -> int:
        """Return how many samples the LIMS has."""
        return int(self.lab.lims_rows("SELECT count(*) AS n FROM samples")[0]["n"])

    def _contract(self) -> Path:
        """The generic contract with short deadlines, so that a killed attempt's leases end soon."""
        path = self.directory / "lims_storm.yaml"
        if not path.exists():
            contract = yaml_text.read(PROJECT / "include/mappings/lims_custom.yaml")
            contract["limits"].update(attempt_timeout=1, total_timeout=1.5, horizon=0.3)
            create = contract["operations"]["create_sample"]
            if self.storm.bulk == 1:
                del create["bulk"]
            else:
                create["bulk"]["size"] = self.storm.bulk
            path.write_text(yaml_text.dump(contract, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def _writes(self) -> int:
        routes = ("/api/v2/samples", "/api/v2/samples/bulk")
        return sum(1 for r in self.lab.requests("lims") if r["method"] == "POST" and r["path"] in routes)

    def _judge(self, lost: int, sent_again: int, seconds: float) -> StormVerdict:
        samples = self.lab.samples()
        with Ledger(self.ledger) as ledger:
            return StormVerdict(
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
