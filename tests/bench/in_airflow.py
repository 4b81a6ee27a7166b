"""What Airflow's own means cost for the same samples; prints JSON. Needs Airflow's environment.

``python -m tests.bench.in_airflow http ADDRESS NUMBER`` sends them with ``HttpHook.run``, and
``python -m tests.bench.in_airflow mapped ADDRESS NUMBER`` with one mapped task a sample. The latter runs in this one
process, without a scheduler, so that it is a lower bound of what a real deployment pays.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict

from tests.bench.creation import payloads
from tests.bench.timing import Timing, timed


def http_hook(number: int) -> Timing:
    """Send samples one after another with the HTTP provider's hook."""
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="POST", http_conn_id="bench")
    headers = {"Content-Type": "application/json", "X-API-Key": "bench-key"}
    bodies = payloads(number)
    hook.run("samples", data=bodies[0], headers=headers)
    return timed(number, lambda: [hook.run("samples", data=body, headers=headers).json()["id"] for body in bodies])


def mapped(number: int) -> Timing:
    """Send samples with one mapped task each."""
    from tests.bench.dags.bench_mapped import made

    return timed(number, made.test)


def main() -> None:
    """Measure what the command line names."""
    way, _, number = sys.argv[1:]
    if way == "mapped":
        from airflow.utils.db import initdb

        initdb()
    logging.disable(logging.CRITICAL)
    timing = {"http": http_hook, "mapped": mapped}[way](int(number))
    print(json.dumps(asdict(timing)))


if __name__ == "__main__":
    main()
