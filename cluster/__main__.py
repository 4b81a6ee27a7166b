"""``make cluster``: the processes of ``compose.yaml`` on this machine carry service requests while they are killed.

Then the same requests are carried by one scheduler with LocalExecutor, undisturbed, and the times are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import time
from dataclasses import dataclass
from types import FrameType

from cluster import airflow
from cluster.attack import Attack
from cluster.certificates import CERTIFICATES
from cluster.compose import PROJECT
from cluster.journey import Journey
from cluster.judgement import Judgement, judge
from demo.processes import DemoError
from demo.reports import say

HOME = PROJECT / ".run" / "cluster"
CELERY, LOCAL = "CeleryExecutor", "LocalExecutor"


@dataclass(frozen=True)
class Result:
    """What came of one run.

    Attributes:
        seconds: from the first DAG to the last record, without the start of the processes.
        judgement: what the systems' own databases hold.
    """

    seconds: float
    judgement: Judgement


def main() -> int:
    """Run it and return 0 when every record took effect once."""
    options = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _both(options)
        except OSError as error:
            say(f"Another cluster is running in {PROJECT}, or the machine refused: {error}")
        except DemoError as error:
            say(f"\n{error}")
        except KeyboardInterrupt:
            say("\nStopped.")
            return 130
    return 1


def _both(options: argparse.Namespace) -> int:
    results: dict[str, Result] = {}
    for executor in options.executor or (CELERY, LOCAL):
        results[executor] = _run(executor, options)
    say("")
    for executor, result in results.items():
        say(f"{executor:<15} {result.seconds:>6.0f} s  {result.judgement.sentence()}")
    return 0 if all(result.judgement.holds for result in results.values()) else 1


def _run(executor: str, options: argparse.Namespace) -> Result:
    say(f"\n{executor}, {options.requests} service requests of {options.modules} modules, seed {options.seed}")
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        cluster = airflow.start(HOME / executor, _variables(executor, options), stack)
        names = ", ".join(node.name for node in cluster.nodes.running)
        say(f"  healthy after {time.monotonic() - started:.0f} s: {names}")
        journey, rounds = Journey(cluster), options.rounds if executor == CELERY else 0
        attack = Attack(cluster, options.seed, rounds, lambda: journey.begun, options.frozen)
        result = _carry(journey, attack)
        for line in result.judgement.lines():
            say(f"  {line}")
        if attack.rounds:
            say(f"  struck: {attack.told()}; started again: {cluster.nodes.restarts()}")
    say(f"  load of the machine: {', '.join(f'{each:.1f}' for each in os.getloadavg())} on {os.cpu_count()} cores")
    return result


def _carry(journey: Journey, attack: Attack) -> Result:
    """Carry the requests while the cluster is attacked; in peace ask for certificates, run everything twice, judge.

    Certificates are asked for after the attacks: where the request for one loses its answer, a person must decide.
    """
    journey.wait_for_dags()
    started = time.monotonic()
    attack.start()
    try:
        journey.carry()
        seconds = time.monotonic() - started
        while attack.is_alive():
            say("          everything once more, because not every attack has struck")
            journey.round()
    finally:
        attack.stop()
    journey.run(CERTIFICATES)
    journey.round()
    wrong = [f"the attack {kind} has not struck" for kind in attack.missed()]
    return Result(seconds, judge(journey.cluster, journey, journey.round(), wrong))


def _variables(executor: str, options: argparse.Namespace) -> dict[str, str]:
    """Return what a user would write into ``.env`` for this run."""
    return {
        "EXECUTOR": executor,
        "DAGS_PAUSED": "False",
        "PV_SYNC_INTERVAL": "0",
        "PARALLELISM": str(2 * options.concurrency),
        "WORKER_CONCURRENCY": str(options.concurrency),
        "SANDBOX_REQUESTS": str(options.requests),
        "SANDBOX_MODULES": str(options.modules),
        "SANDBOX_SEED": str(options.seed),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make cluster ARGS='…'", description=__doc__)
    parser.add_argument("--requests", type=int, default=50, help="service requests (default 50)")
    parser.add_argument("--modules", type=int, default=12, help="modules of each (default 12)")
    parser.add_argument("--seed", type=int, default=1, help="of the laboratory and of the attacks (default 1)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each attack strikes; 0 for none (default 2)")
    parser.add_argument("--frozen", type=float, default=165.0, help="seconds for which a worker is stopped")
    parser.add_argument("--concurrency", type=int, default=2, help="tasks at once in each worker (default 2)")
    parser.add_argument("--executor", action="append", choices=(CELERY, LOCAL), help="only this one")
    return parser.parse_args()


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # a second one would leave processes behind
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
