"""Measures how much longer 200 small service requests take beside two huge ones, with four tasks at a time.

Four processes take tasks as four slots of Airflow would, in the order in which the choosing task has split the
requests. Each runs the exchange over a ledger and a shared limit, against a LIMS on a socket.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from statistics import median
from typing import Any

from operators.chunks import by_size
from pv_testing.config import system_config
from pv_testing.config.sections import SharedLimitSection
from pv_testing.core.records import Record
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.bench import server
from tests.bench.creation import single_contract
from tests.bench.governor import forking

SLOTS = 4
ROUNDS = 5
"""How often a way without a limit is measured, as it takes less than a second."""
SMALL = {f"SR-2025-{number:04}": 12 for number in range(200)}
HUGE = {f"SR-2024-{number:04}": 20_000 for number in range(2)}
Target = tuple[str, str, bool]


@dataclass(frozen=True)
class Place:
    """Where tasks run: the LIMS, the contract, the ledger, and how many requests a second the LIMS takes (0: any)."""

    address: str
    contract: str
    ledger: str
    rate: int


def records(sr_number: str, modules: int) -> list[Record]:
    """Return the samples of a service request, before mapping."""
    module = {"manufacturer": "AST", "model": "AST-M400", "type": "mono PERC", "power_rating": 400, "voltage": 49.5}
    shared = {**module, "sr_number": sr_number, "customer_name": "Solar", "customer": {"name": "Solar"}}
    return [
        Record(f"{sr_number}/SN{number:06}", {**shared, "serial_number": f"SN{number:06}", "module": module})
        for number in range(modules)
    ]


def slot(place: Place, tasks: Queue[Any], done: Queue[Any]) -> None:
    """Take one task after the other and say when each is done."""
    with contextlib.suppress(queue.Empty), Ledger(place.ledger) as ledger:
        while True:
            requests: Mapping[str, int] = tasks.get(timeout=0.5)
            config = system_config("lims", base_url=place.address, api_key="bench-key", contract=place.contract)
            if place.rate:
                config = config.overlay(shared_limit=SharedLimitSection(requests=place.rate))
            with LIMSClient(config=config, ledger=ledger, owner="bench") as lims:
                wanted = [each for number, size in requests.items() for each in records(number, size)]
                lims.exchange("create_sample", wanted).raise_for_waiting()
            done.put(list(requests))


def seconds(tasks: Sequence[Sequence[str]], rate: int, contract: str) -> float:
    """Return how long it takes until all small requests of some tasks are carried; the others are given up then."""
    sizes = {**SMALL, **HUGE}
    fork = forking("tests.bench.fairness")
    waiting, done = fork.Queue(), fork.Queue()
    left = {number for task in tasks for number in task if number in SMALL}
    with server.running() as address, tempfile.TemporaryDirectory() as folder:
        place = Place(address, contract, f"sqlite:///{folder}/ledger.sqlite", rate)
        Ledger(place.ledger).close()
        for task in tasks:
            waiting.put({number: sizes[number] for number in task})
        slots = [fork.Process(target=slot, args=(place, waiting, done), daemon=True) for _ in range(SLOTS)]
        began = time.monotonic()
        try:
            for each in slots:
                each.start()
            while left:
                left -= set(done.get(timeout=600))
            return time.monotonic() - began
        finally:
            for each in slots:
                each.kill()
                each.join()


def measure(rate: int = 100) -> list[Target]:
    """Measure with and without a shared limit, and print the figures."""
    sizes = {**SMALL, **HUGE}
    alone = by_size(list(SMALL), sizes)
    together = by_size(list(sizes), sizes)
    huge_first = [[number] for number in HUGE] + by_size(list(SMALL), sizes, 6)
    print(f"\n{'200 requests of 12 modules, until all are carried':<58}{'alone':>10}{'at once':>10}{'later':>10}")
    targets: list[Target] = []
    ways = [(f"one by one, {rate} requests a second for all tasks", rate, str(single_contract()))]
    ways.append(("in bulk, no shared limit", 0, "lims_custom"))
    for name, limit, contract in ways:
        print(f"  {name:<56}", end="", flush=True)
        took = []
        for tasks in (alone, together, huge_first):
            rounds = 1 if limit else ROUNDS
            took.append(median(seconds(tasks, limit, contract) for _ in range(rounds)))
            print(f"{took[-1]:>8.1f} s", end="", flush=True)
        by_itself, beside, late = took
        print()
        cases = [("two of 20,000 at once", beside)]
        if limit:  # else the huge ones have taken half of the processor by then, and keep it
            cases.append(("two of 20,000 that began before", late))
        for what, measured in cases:
            target = f"{name}: with {what}, at most twice"
            targets.append((target, f"{measured / by_itself:.2f}", measured <= 2 * by_itself))
    return targets


def main() -> int:
    """Measure, and return 0 when every target is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="requests a second that the LIMS takes (default 100)")
    targets = measure(parser.parse_args().rate)
    for name, value, reached in targets:
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<100}{value}")
    return 0 if all(reached for _, _, reached in targets) else 1


if __name__ == "__main__":
    raise SystemExit(main())
