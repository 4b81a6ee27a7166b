"""Prints what records, claims, DAGs, sweeps, events, files and shared limits cost, beside what others pay."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

import uvloop

from tests.bench import (
    against,
    creation,
    exports,
    fairness,
    governor,
    imports,
    latency,
    ledger,
    server,
    sweeps,
    webhooks,
)
from tests.bench.timing import Timing, median

PROJECT = Path(__file__).parents[2]
PARSING = 0.1
"""The part of the time for the import of Airflow's SDK that a DAG may take to be parsed."""
TURNS = 8
"""Turns of one by one and bare aiohttp for each round."""
BARE = 3
"""The place of bare aiohttp among the timings of a round."""
Target = tuple[str, str, bool]
DAGS = tuple(f"dags.{path.stem}" for path in sorted((PROJECT / "dags").glob("*.py")))


def main() -> int:
    """Run everything and return 0 when every target is reached."""
    parts = _parts()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), help="measure these alone")
    parser.add_argument("--records", type=int, default=5_000, help="samples sent one by one (default 5,000)")
    parser.add_argument("--bulk-records", type=int, default=50_000, help="samples sent in bulk (default 50,000)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of which the median counts (default 5)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large ledger (default 1,000,000)")
    few, many = 20, 2_000
    parser.add_argument("--requests", type=int, nargs=2, default=(few, many), help=f"open ones (default {few} {many})")
    parser.add_argument("--events", type=int, default=3_000, help="webhooks sent and received (default 3,000)")
    parser.add_argument("--started", type=int, default=20, help="events that start the intake (default 20)")
    parser.add_argument("--file-rows", type=int, default=500_000, help="rows of files (default 500,000)")
    parser.add_argument("--governed-seconds", type=float, default=20.0, help="of each measurement (default 20)")
    parser.add_argument("--against", metavar="REV", help="measure only what a record costs, beside that commit")
    asked = parser.parse_args()
    if asked.against:
        return _judged(against.compare(asked.against, asked.records, asked.bulk_records, asked.rounds))
    return _judged([target for name in asked.only for target in _timed(name, parts[name], asked)])


def _parts() -> dict[str, Callable[[argparse.Namespace], Sequence[Target]]]:
    """Return what is measured, by name."""
    return {
        "records": _records,
        "claims": lambda asked: _claims(asked.rows),
        "dags": lambda _: _dags(),
        "sweeps": lambda asked: _sweeps(asked.requests),
        "webhooks": lambda asked: webhooks.measure(asked.events),
        "latency": lambda asked: latency.measure(asked.started),
        "exports": lambda asked: exports.compare(asked.file_rows),
        "imports": lambda asked: imports.compare(asked.file_rows),
        "governor": lambda asked: governor.measure(asked.governed_seconds),
        "fairness": lambda _: fairness.measure(),
    }


def _timed(
    name: str, part: Callable[[argparse.Namespace], Sequence[Target]], asked: argparse.Namespace
) -> Sequence[Target]:
    """Measure one part and say how long that took, and how busy the machine was."""
    began = time.monotonic()
    targets = part(asked)
    print(f"({name}: {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f})", flush=True)
    return targets


def _judged(targets: Sequence[Target]) -> int:
    """Print which targets are reached; return 0 when all are."""
    print("\ntargets")
    for name, value, reached in targets:
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<72}{value}")
    return 0 if all(reached for _, _, reached in targets) else 1


def _records(asked: argparse.Namespace) -> list[Target]:
    with server.running() as address, tempfile.TemporaryDirectory() as home:
        rounds = [_round(address, asked) for _ in range(asked.rounds)]
        turns = creation.by_turns(address, asked.records // 5, TURNS * asked.rounds)
        single, bulk, unchanged, bare, on_uvloop, guide = (median([r[n] for r in rounds]) for n in range(6))
        hook, mapped = (_in_airflow(way, address, number, home) for way, number in (("http", 1_000), ("mapped", 100)))
    rows = [
        ("one by one: mapped, checked, ledger, audit", single),
        ("in bulk of 500: mapped, checked, ledger, audit", bulk),
        ("again, nothing has changed", unchanged),
        ("bare aiohttp, ready-made JSON", bare),
        ("the same on uvloop, which ours runs on", on_uvloop),
        ("requests, one after another, as in the guide", guide),
        ("HttpHook.run, one after another", hook),
        ("one mapped task a record, without a scheduler", mapped),
    ]
    print(f"{'creating samples':<50}{'records/s':>12}{'CPU µs/record':>15}{'of bare':>9}")
    for name, timing in rows:
        print(f"  {name:<48}{timing.rate:>12,.0f}{timing.microseconds:>15,.0f}{timing.rate / bare.rate:>9.2f}")
    least = (
        ("one by one, by turns", _ratio(turns), 0.55),
        ("in bulk of 500", _ratio([(each[1], each[BARE]) for each in rounds]), 1.3),
        ("nothing changed", _ratio([(each[2], each[BARE]) for each in rounds]), 2.7),
    )
    targets: list[Target] = []
    for name, ratio, wanted in least:
        targets.append((f"{name}, at least {wanted} of bare aiohttp", f"{ratio:.2f}", ratio >= wanted))
    return targets


def _ratio(pairs: Sequence[tuple[Timing, Timing]]) -> float:
    """Return the median of how ours does beside bare aiohttp: from one pair to the next, a machine's speed changes."""
    return statistics.median(ours.rate / bare.rate for ours, bare in pairs)


def _round(address: str, asked: argparse.Namespace) -> tuple[Timing, ...]:
    bare = creation.bare_aiohttp(address, asked.records)
    single, _ = creation.ours(address, asked.records, bulk=False)
    on_uvloop = creation.bare_aiohttp(address, asked.records, run=uvloop.run)
    bulk, unchanged = creation.ours(address, asked.bulk_records, bulk=True)
    return single, bulk, unchanged, bare, on_uvloop, creation.guide_requests(address, asked.records // 5)


def _in_airflow(way: str, address: str, number: int, home: str) -> Timing:
    environment = {
        **_environment(home),
        "AIRFLOW_CONN_BENCH": json.dumps({"conn_type": "http", "host": address, "schema": "http"}),
        "BENCH_RECORDS": str(number),
    }
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.in_airflow", way, address, str(number)]
    answer = subprocess.run(command, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    return Timing(**json.loads(answer.stdout.splitlines()[-1]))


def _environment(home: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "tests/bench/dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT / "plugins", PROJECT))),
    }


def _claims(rows: int) -> list[Target]:
    print(f"\n{'claiming and settling, ledger on SQLite':<50}{'claims/s':>12}{'settles/s':>15}{'both':>9}")
    with tempfile.TemporaryDirectory() as folder:
        sizes = (1_000, rows)
        speeds = ledger.measure(
            [f"sqlite:///{Path(folder) / f'{size}.sqlite'}" for size in sizes], sizes, scattered=False
        )
    for speed in speeds:
        name = f"with {speed.rows:,} records in the ledger"
        print(f"  {name:<48}{speed.claims:>12,.0f}{speed.settles:>15,.0f}{speed.carried:>9,.0f}")
    ratio = speeds[0].carried / speeds[1].carried
    return [(f"cost of a record at {rows:,} rows, at most 1.3 times that at 1,000", f"{ratio:.2f}", ratio <= 1.3)]


def _sweeps(sizes: Sequence[int]) -> list[Target]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.sweeps", *map(str, sizes)]
    with tempfile.TemporaryDirectory() as home:
        settings = {**_environment(home), "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins")}
        answer = subprocess.run(command, env=settings, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(answer.stdout.splitlines()[-1])
    print(f"\n{'requests to the framework of a sweep':<50}{f'first, {sizes[0]:,}':>12}", end="")
    print("".join(f"{f'idle, {size:,}':>15}" for size in sizes))
    first, idle = measured["first"], [measured["idle"][str(size)] for size in sizes]
    for dag_id in first:
        print(f"  {dag_id:<48}{first[dag_id]:>12,}{idle[0][dag_id]:>15,}{idle[1][dag_id]:>15,}")
    few, many = (sum(costs.values()) for costs in idle)
    print(f"  {'all':<48}{sum(first.values()):>12,}{few:>15,}{many:>15,}")
    hourly = f"{many} = {sweeps.HOURLY * many} an hour at 300 s; free tier 100, standard 1,000"
    return [
        (f"an idle sweep over {sizes[1]:,} open requests costs no more than over {sizes[0]:,}", hourly, many <= few),
        (
            "idle sweeps stay within the framework's free tier",
            f"{sweeps.HOURLY * many} of 100",
            many * sweeps.HOURLY <= 100,
        ),
    ]


def _dags() -> list[Target]:
    from tests.airflow.home import ask

    with tempfile.TemporaryDirectory() as home:
        measured = ask("tests.dags.probes.measure", *DAGS, home=Path(home))
    print(f"\n{'parsing a DAG after the import of the SDK':<62}of that")
    targets = []
    for name in DAGS:
        quickest = min(measured[name], key=itemgetter("seconds"))
        part = quickest["of_sdk"]
        print(f"  {name:<48}{quickest['seconds'] * 1_000:>9.0f} ms{part:>9.3f}")
        targets.append((f"{name} parsed in at most {PARSING} of the SDK's import", f"{part:.3f}", part <= PARSING))
    return targets


if __name__ == "__main__":
    raise SystemExit(main())
