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
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pv_testing.core.errors import IntegrationError
from pv_testing.ledger import Ledger
from pv_testing.transports.governor import Grant, TimetableStore
from pv_testing.transports.governor.redis_store import RedisTimetables
from pv_testing.transports.governor.timetable import State
from tests.bench.databases import REDIS, own_schema
from tests.bench.governed import Work, ask

PROJECT = Path(__file__).parents[2]
LIMIT = 25
PROCESSES, WIDTH = 16, 8
LEAST = 23.0
Target = tuple[str, str, bool]


@dataclass
class Seen:
    """What a system has seen.

    Attributes:
        most: requests in any second, wherever it begins.
        average: requests in a second, from the first until a second before the processes stop.
        number: of all requests.
        given_up: slots that passed unused, because their process was too busy.
        lost: how many requests fewer came after a process was killed.
    """

    most: int
    average: float
    number: int
    given_up: int
    lost: int = 0


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


def forking(module: str) -> ForkServerContext:
    """Return what starts processes that have imported a module before, and no thread of this process."""
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


@dataclass
class Worker:
    """A process that asks, and how it is spoken to."""

    name: str
    process: BaseProcess
    link: Connection


@contextlib.contextmanager
def workers(work: Sequence[Work]) -> Iterator[list[Worker]]:
    """Run processes that are ready to ask."""
    fork = forking("tests.bench.governed")
    started: list[Worker] = []
    try:
        for each in work:
            ours, theirs = fork.Pipe()
            process = fork.Process(target=ask, args=(each, theirs), daemon=True)
            process.start()
            theirs.close()
            started.append(Worker("", process, ours))
        for worker in started:
            worker.name = worker.link.recv()
        yield started
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.join()


def kill_holder(started: Sequence[Worker], store: TimetableStore) -> float:
    """Kill a process while it holds slots of the next half second, and return when, in epoch seconds."""
    while True:
        state, now = look(store)
        for worker in started:
            if state["active"].get(worker.name, (0, 0.0))[1] > now + 0.5:
                worker.process.kill()
                worker.process.join()
                return time.time()
        time.sleep(0.05)


def look(store: TimetableStore) -> tuple[State, float]:
    """Return the LIMS's timetable, and the store's clock."""
    seen: State = {}

    def unchanged(state: State, _: float) -> tuple[State, Grant]:
        seen.update(state)
        return state, Grant()

    return seen, store.change("lims", unchanged).now


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
    with logging_server() as (address, server):
        work = Work(address, ledger_url, redis_url, seconds, WIDTH, LIMIT)
        with workers([work] * processes) as started:
            for worker in started:
                worker.link.send("go")
            killed = 0.0
            if kill:
                time.sleep(seconds / 2)
                with Ledger(ledger_url) as ledger:
                    killed = kill_holder(started, RedisTimetables(redis_url) if redis_url else ledger.timetables)
            given_up = sum(_given_up(worker) for worker in started)
        times = sorted(times_of(server))
    span = seconds - 1.0  # in the last second, processes begin nothing that would not be answered in time
    average = sum(moment < times[0] + span for moment in times) / span
    return Seen(most_in(times), average, len(times), given_up, _lost(times, killed) if killed else 0)


def _given_up(worker: Worker) -> int:
    """Wait for the end of a process, and return how many slots it gave up; 0 of one that was killed."""
    try:
        return int(worker.link.recv())
    except EOFError:
        return 0


def _lost(times: Sequence[float], killed: float, within: float = 5.0) -> int:
    """Return how many requests fewer than before came in the seconds after a process was killed."""
    before = sum(killed - within <= moment < killed for moment in times)
    return before - sum(killed <= moment < killed + within for moment in times)


def undisturbed(priority: int) -> None:
    """Have this process and those that it starts run before all else on this machine, where that is allowed.

    Each of them stands for a host of its own, which doesn't wait for a processor that others keep busy.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


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
    undisturbed(1)
    title = f"{PROCESSES} processes share {LIMIT} requests a second"
    print(f"\n{title:<50}{'most in 1 s':>12}{'average':>10}{'requests':>10}{'given up':>10}")
    targets: list[Target] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, ledger_url, redis_url in stores(folder):
            for kill in (False, True):
                seen = measured(ledger_url, redis_url, seconds, kill=kill)
                what = f"{name}{', one is killed' if kill else ''}"
                lost = f"  {seen.lost} requests fewer in the 5 s after the kill" if kill else ""
                figures = f"{seen.most:>10}{seen.average:>10.2f}{seen.number:>10}{seen.given_up:>10}"
                print(f"  {what:<50}{figures}{lost}", flush=True)
                targets.append((f"{what}: at most 25 in any second", str(seen.most), seen.most <= LIMIT))
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
