"""A storm over the naive LIMS: processes killed, stopped and suspended while it lies about what became of requests."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sandbox
from sandbox import Naive
from sandbox.cache import HIT
from tests.chaos.naive import NaiveSiege
from tests.chaos.scenarios import CREATES, LOOK_UPS
from tests.chaos.standing import Standing

NAIVE = Naive(lag=0.1, cache=60.0)
"""Look-ups see a record well before the contract's horizon, but for the cache."""
AFTER_COMMIT: Mapping[int, float] = {503: 0.02, 429: 0.01, 401: 0.005, 403: 0.005, 302: 0.01}
SHAPES = ("number", "text", "float", "list", "long", "taken")
BLOWS = ("killed", "killed", "stopped", "suspended", "stopped at the socket", "suspended at the socket")
TRIES = 4


@dataclass(frozen=True)
class NaiveVerdict:
    """What came of a storm.

    Attributes:
        seed: of its random numbers.
        landed: how often each blow hit a process.
        faults: how often each fault of the LIMS struck.
        before: what there was when a person looked first.
        after: what there was when the person had released what is to be looked up once more.
        attempts: how many there were.
        sent_again: writes of a last run in which nothing had changed.
        seconds: how long it took.
    """

    seed: int
    landed: Counter[str]
    faults: Counter[str]
    before: Standing
    after: Standing
    attempts: int
    sent_again: int
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the promise was kept: nothing twice or missing without a word, nothing sent without a cause."""
        return self.before.holds and self.after.holds and not self.sent_again

    def lines(self) -> list[str]:
        """The verdict for people."""
        return [
            f"processes: {_counts(self.landed)}; attempts {self.attempts}",
            f"faults: {_counts(self.faults)}",
            f"at first: {self.before.line()}",
            f"released: {self.after.line()}",
            f"requests that write, sent by a last run in which nothing had changed: {self.sent_again}",
            f"{self.seconds:.0f} s",
        ]


class NaiveStorm(NaiveSiege):
    """Deals one blow after the other, each while the samples of a new service request are created.

    Args:
        lab: a laboratory with a naive LIMS.
        ledger: the address of the ledger.
        directory: for contract, clocks and logs.
        seed: of the random numbers.
        samples: of each service request.
        blows: which, in an order that chance decides.
        deadline: seconds after which all is given up.
    """

    def __init__(
        self,
        lab: sandbox.Lab,
        ledger: str,
        directory: Path,
        *,
        seed: int,
        samples: int = 60,
        blows: Sequence[str] = BLOWS,
        deadline: float = 400.0,
    ) -> None:
        super().__init__(lab, ledger, directory, deadline=deadline)
        self.seed = seed
        self.samples = samples
        self.blows = blows
        self.random = random.Random(seed)
        self.landed: Counter[str] = Counter()

    def run(self) -> NaiveVerdict:
        """Deal the blows, leave in peace, let a person release what waits for a look-up; then count what arrived."""
        started = time.monotonic()
        self.lab.faults(sandbox.LIMS, *faults(self.seed))
        for blow in self.random.sample(self.blows, len(self.blows)):
            for _ in range(TRIES):
                self.lab.seed(sandbox.SeedPlan(modules=self.samples, protocols=1))
                if self._deal(blow):
                    self.landed[blow] += 1
                    break
        self.until_settled()
        before = self.standing()
        struck = self._struck()
        self.lab.faults(sandbox.LIMS)
        self.release()
        self.until_settled()
        writes = self._writes()
        self.attempt()
        sent_again = self._writes() - writes
        seconds = time.monotonic() - started
        return NaiveVerdict(self.seed, self.landed, struck, before, self.standing(), self.attempts, sent_again, seconds)

    def _deal(self, blow: str) -> bool:
        """Deal one blow at a random moment, and say whether it hit; while a process is stopped, another works.

        An attempt that the LIMS has turned away before that moment can't be hit.
        """
        moment = self.random.randrange(1, self.samples // 2)
        if blow == "killed":
            killed = self.killed
            self.attempt(self.arrived() + moment)
            return self.killed > killed
        when = {"before_write": moment} if blow.endswith("socket") else {"at": self.arrived() + moment}
        with self.stopped(**when, suspended=blow.startswith("suspended")) as hit:
            if hit:
                self.attempt()
        return bool(hit)

    def _struck(self) -> Counter[str]:
        """Return how often each fault struck, and how often the cache answered."""
        struck = Counter({_name(rule): rule["hits"] for rule in self.lab.fault_report(sandbox.LIMS)})
        struck["answers of the cache"] = sum(seen["fault"] == HIT for seen in self.lab.requests(sandbox.LIMS))
        return struck

    def _writes(self) -> int:
        return sum(1 for r in self.lab.requests(sandbox.LIMS) if r["method"] in {"POST", "PATCH"})


def faults(seed: int) -> list[dict[str, Any]]:
    """Return what the LIMS does: it loses answers, refuses after the commit, gives odd ids and ignores filters."""
    creates: list[dict[str, Any]] = [
        {"kind": "drop_after", "rate": 0.05},
        {"kind": "drop_before", "rate": 0.01},
        {"kind": "error", "status": 503, "rate": 0.01},
        *({"kind": "error", "status": s, "when": "after", "rate": rate} for s, rate in AFTER_COMMIT.items()),
        *({"kind": "odd_ids", "shape": shape, "rate": 0.004} for shape in SHAPES),
    ]
    rules = [{"route": CREATES, **each} for each in creates]
    rules.append({"route": LOOK_UPS, "kind": "ignore_filter", "rate": 0.10})
    return [{**rule, "seed": seed * 100 + number} for number, rule in enumerate(rules)]


def _name(rule: Mapping[str, Any]) -> str:
    own = {"error": f"{rule['status']} {rule['when']}", "odd_ids": f"id as {rule['shape']}"}
    return own.get(rule["kind"], rule["kind"]).replace("_", " ")


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counter.items() if number) or "none"
