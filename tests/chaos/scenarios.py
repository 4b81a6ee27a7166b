"""Single attacks on the naive LIMS, each with figures: what is there twice, or missing, without a word."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from sandbox import Naive
from tests.chaos.ledgers import new_ledger
from tests.chaos.naive import NaiveSiege
from tests.chaos.standing import Standing

CREATES = "POST /api/v2/samples"
CREATES_MANY = "POST /api/v2/samples/bulk"
LOOK_UPS = "GET /api/v2/samples"
LOST_ANSWERS = {"route": CREATES, "kind": "drop_after", "rate": 0.10, "seed": 1}


@dataclass(frozen=True)
class Scenario:
    """One attack.

    Attributes:
        about: what happens, for people.
        attack: what is done to the processes.
        faults: of the LIMS.
        naive: how its look-ups are.
        bulk: the most samples that one request carries.
        look_first: whether each record is looked up before it is sent.
    """

    about: str
    attack: Callable[[NaiveSiege], None] = NaiveSiege.until_settled
    faults: tuple[Mapping[str, Any], ...] = ()
    naive: Naive = field(default_factory=Naive)
    bulk: int = 1
    look_first: bool = False


def _suspended(siege: NaiveSiege) -> None:
    with siege.stopped(at=siege.wanted // 4, suspended=True):
        siege.until_settled()
    siege.until_settled()


def _stopped(siege: NaiveSiege) -> None:
    with siege.stopped(at=siege.wanted // 4):
        siege.until_settled()
    siege.until_settled()


def _stopped_at_the_socket(siege: NaiveSiege) -> None:
    with siege.stopped(before_write=siege.wanted // 4):
        siege.until_settled()
    siege.until_settled()


def _suspended_at_the_socket(siege: NaiveSiege) -> None:
    with siege.stopped(before_write=siege.wanted // 4, suspended=True):
        siege.until_settled()
    siege.until_settled()


def _stopped_at_the_socket_then_blind(siege: NaiveSiege) -> None:
    with siege.stopped(before_write=siege.wanted // 4):
        siege.until_settled()
        siege.lab.faults(sandbox.LIMS, {"route": LOOK_UPS, "kind": "ignore_filter"})
    siege.lab.faults(sandbox.LIMS)
    siege.release()
    siege.until_settled()


def _stopped_at_the_socket_then_killed(siege: NaiveSiege) -> None:
    with siege.stopped(before_write=siege.wanted // 4, kill_at=siege.wanted + 1):
        siege.until_settled()
    siege.until_settled()


def _refused(status: int, about: str, **further: Any) -> Scenario:
    refusal = {"route": CREATES, "kind": "error", "when": "after", "status": status, "rate": 0.10, "seed": 2}
    return Scenario(about, faults=({**refusal, **further},))


SCENARIOS: Mapping[str, Scenario] = {
    "suspended": Scenario("the machine is suspended beyond the lease, another does the work", _suspended),
    "stopped": Scenario("the process is stopped beyond the lease", _stopped),
    "socket": Scenario("the process is stopped right before a write to the socket", _stopped_at_the_socket),
    "socket-suspended": Scenario("the machine is suspended right before a write", _suspended_at_the_socket),
    "socket-blind": Scenario(
        "the process is stopped right before a write, then the look-ups ignore their filter",
        _stopped_at_the_socket_then_blind,
    ),
    "socket-killed": Scenario(
        "the process is stopped right before a write, then killed before it can say so",
        _stopped_at_the_socket_then_killed,
    ),
    "503": _refused(503, "503 after the commit"),
    "429": _refused(429, "429 after the commit", retry_after=0.2),
    "401": _refused(401, "401 after the commit", times=10),
    "403": _refused(403, "403 after the commit", times=10),
    "302": _refused(302, "a redirect after the commit"),
    "items": Scenario(
        "each second item of a bulk answer says 503 after the commit",
        faults=({"route": CREATES_MANY, "kind": "items_fail", "status": 503, "times": 5},),
        bulk=20,
    ),
    "filter": Scenario(
        "a filter is ignored while answers are lost",
        faults=(LOST_ANSWERS, {"route": LOOK_UPS, "kind": "ignore_filter"}),
    ),
    "cache": Scenario(
        "a shared cache answers look-ups while answers are lost",
        faults=({**LOST_ANSWERS, "rate": 0.5},),
        naive=Naive(cache=60.0),
        look_first=True,
    ),
    "ids": Scenario(
        "some ids are floats, lists, very long, or another record's",
        faults=tuple(
            {"route": CREATES, "kind": "odd_ids", "shape": shape, "rate": 0.03, "seed": number}
            for number, shape in enumerate(("float", "list", "long", "taken"))
        ),
    ),
    "lag": Scenario(
        "look-ups lag behind a shared cache while answers are lost",
        faults=(LOST_ANSWERS,),
        naive=Naive(lag=0.2, cache=60.0),
    ),
}


def run(scenario: Scenario, database: str, samples: int) -> tuple[Standing, NaiveSiege, float]:
    """Run one attack; return what there is in the end, the attempts and the seconds that it took.

    Args:
        scenario: the attack.
        database: the kind of the ledger's.
        samples: how many are wanted.
    """
    started = time.monotonic()
    plan = sandbox.SeedPlan(modules=samples, protocols=1)
    with tempfile.TemporaryDirectory(prefix="pv-chaos-") as name:
        directory = Path(name)
        lab_there = sandbox.serve(directory / "lab", seed_plan=plan, naive=scenario.naive)
        with lab_there as lab, new_ledger(database, directory) as ledger:
            siege = NaiveSiege(lab, ledger, directory, bulk=scenario.bulk, look_first=scenario.look_first)
            lab.faults(sandbox.LIMS, *scenario.faults)
            scenario.attack(siege)
            return siege.standing(), siege, time.monotonic() - started


def kept(name: str, database: str, samples: int) -> bool:
    """Run an attack, print its result and return whether the promise was kept."""
    standing, siege, seconds = run(SCENARIOS[name], database, samples)
    verdict = "kept" if standing.holds else "BROKEN"
    print(f"{name} on {database}: {verdict}; {standing.line()}; attempts {siege.attempts}, {seconds:.0f} s", flush=True)
    return standing.holds
