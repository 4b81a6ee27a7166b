"""Measures, by the system's own log, what 16 processes that share a limit send, and what one costs that is killed."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pv_testing.core.errors import IntegrationError
from pv_testing.ledger import Ledger
from pv_testing.transports.governor import Grant, TimetableStore
from pv_testing.transports.governor.redis_store import RedisTimetables
from tests.bench.databases import REDIS, own_schema

PROJECT = Path(__file__).parents[2]
LIMIT = {"requests": 25, "per": 1.0}
PROCESSES, WIDTH = 16, 8
LEAST = 23.0
Target = tuple[str, str, bool]


@dataclass
class Seen:
    """What a system has seen.

    Attributes:
        most: requests in any second, wherever it begins.
        average: requests in a second, from the first to the last.
        number: of all requests.
        lost: slots that no request came in, after a process was killed.
    """

    most: int
    average: float
    number: int
    lost: float = 0.0


def most_in(times: Sequence[float], seconds: float = 1.0) -> int:
    """Return the most of some moments that lie within a period, wherever it begins."""
    ordered, most, first = sorted(times), 0, 0
    for place, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, place - first + 1)
    return most


@contextlib.contextmanager
def logging_server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the system that writes down when requests come, and give its address and its process."""
    command = [sys.executable, "-m", "tests.bench.logging_server"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=PROJECT, **pipes) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", process
        finally:
            process.kill()


def times_of(server: subprocess.Popen[str]) -> list[float]:
    """Return when the requests came since this was asked last."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    times: list[float] = json.loads(server.stdout.readline())
    return times


@contextlib.contextmanager
def workers(given: dict[str, Any], number: int) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Run processes that are ready to ask, and give them by the names under which they lease."""
    command = [sys.executable, "-m", "tests.bench.governed", json.dumps(given)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, cwd=PROJECT, **pipes) for _ in range(number)]
    try:
        yield {str(each.stdout.readline()).strip(): each for each in started if each.stdout}
    finally:
        for each in started:
            each.kill()
            each.communicate()


def begin(processes: dict[str, subprocess.Popen[str]]) -> None:
    """Let processes begin to ask."""
    for each in processes.values():
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()


def kill_holder(processes: dict[str, subprocess.Popen[str]], store: TimetableStore) -> float:
    """Kill a process while it holds slots of the next half second, and return when, in epoch seconds."""
    while True:
        state: dict[str, Any] = {}
        now = store.change("lims", lambda kept, _: (state.update(kept) or kept, Grant())).now  # type: ignore[func-returns-value]
        for name, (_, until) in state["active"].items():
            if until > now + 0.5 and name in processes:
                processes[name].kill()
                return time.time()
        time.sleep(0.05)


def measured(ledger_url: str, redis_url: str, seconds: float, *, kill: bool, processes: int = PROCESSES) -> Seen:
    """Let processes ask for some seconds, and return what the system has seen.

    Args:
        ledger_url: of an empty ledger.
        redis_url: of a Redis; empty where the ledger keeps the timetable.
        seconds: how long.
        kill: whether one of them is killed half way, while it holds slots.
        processes: how many.
    """
    Ledger(ledger_url).close()
    with logging_server() as (address, server), Ledger(ledger_url) as ledger:
        given = {"address": address, "ledger": ledger_url, "redis_url": redis_url, "limit": LIMIT}
        with workers({**given, "seconds": seconds, "width": WIDTH}, processes) as started:
            begin(started)
            killed = 0.0
            if kill:
                time.sleep(seconds / 2)
                killed = kill_holder(started, RedisTimetables(redis_url) if redis_url else ledger.timetables)
            for each in started.values():
                each.wait()
        times = sorted(times_of(server))
    span = times[-1] - times[0]
    return Seen(most_in(times), (len(times) - 1) / span, len(times), _lost(times, killed) if killed else 0.0)


def _lost(times: Sequence[float], killed: float, within: float = 5.0) -> float:
    """Return how many requests fewer than before came in the seconds after a process was killed."""
    before = sum(killed - within <= moment < killed for moment in times)
    return before - sum(killed <= moment < killed + within for moment in times)


def stores(folder: str) -> Iterator[tuple[str, str, str]]:
    """Give each kind of store that answers: its name, the URL of an empty ledger, that of a Redis."""
    yield "ledger on SQLite", f"sqlite:///{folder}/ledger.sqlite", ""
    with own_schema() as url:
        if url:
            yield "ledger on PostgreSQL", url, ""
    with contextlib.suppress(IntegrationError):
        store = RedisTimetables(REDIS)
        store.change("lims", lambda _, __: ({}, Grant()))
        store.close()
        yield "Redis", f"sqlite:///{folder}/beside.sqlite", REDIS


def measure(seconds: float) -> list[Target]:
    """Measure each store, without and with a process that is killed, and print the figures."""
    print(f"\n{PROCESSES} processes share 25 requests a second{'':<12}{'most in 1 s':>12}{'average':>10}{'requests':>10}")
    targets: list[Target] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, ledger_url, redis_url in stores(folder):
            for kill in (False, True):
                seen = measured(ledger_url, redis_url, seconds, kill=kill)
                what = f"{name}{', one is killed' if kill else ''}"
                lost = f"  {seen.lost:.0f} requests fewer in the 5 s after the kill" if kill else ""
                print(f"  {what:<50}{seen.most:>10}{seen.average:>10.2f}{seen.number:>10}{lost}", flush=True)
                targets.append((f"{what}: at most 25 in any second", str(seen.most), seen.most <= LIMIT["requests"]))
                targets.append((f"{what}: at least 23 on average", f"{seen.average:.2f}", seen.average >= LEAST))
    return targets


def main() -> int:
    """Measure, and return 0 when every target is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (default 20)")
    targets = measure(parser.parse_args().seconds)
    for name, value, reached in targets:
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<72}{value}")
    print(f"(load {os.getloadavg()[0]:.1f})")
    return 0 if all(reached for _, _, reached in targets) else 1


if __name__ == "__main__":
    raise SystemExit(main())
