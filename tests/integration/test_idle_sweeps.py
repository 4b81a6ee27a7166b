"""A sweep in which nothing has changed costs the framework as little with many open requests as with few.

Each test runs the tasks of the DAG files on Airflow connections; the sandbox's own log counts the requests.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest
from tests.airflow.home import prepare

prepare()

from pv_testing.ledger import Ledger  # noqa: E402 - Airflow's home comes first
from tests.bench.sweeps import Sweeper, running  # noqa: E402

RUNS = 4
NAMES = ("lims/samples", "lims/results", "lims/statuses", "qms/nc", "pm/projects", "pm/tasks", "pm/hours", "erp/stock")


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a laboratory whose sweeps have come to rest."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def started(requests, overlap=1, rest=RUNS, **plan):
            folder = tmp_path / str(requests)
            folder.mkdir()
            seeded = {"modules": 1, "protocols": 1, "failures": 0.0, "state": "complete", **plan}
            lab = stack.enter_context(running(folder, overlap, requests=requests, **seeded))
            sweeper = Sweeper(lab)
            sweeper.sweep("pv_intake")
            lab.receive()
            settle(sweeper, rest)
            return sweeper

        yield started


def settle(sweeper, runs=RUNS, *dag_ids):
    for _ in range(runs):
        sweeper.sweep(*dag_ids)
        time.sleep(1.1)


def edit(sweeper, sql, *values):
    with closing(sqlite3.connect(sweeper.lab.settings.database("framework"))) as connection, connection:
        connection.execute(sql, values)


def ago(seconds):
    stamp = datetime.now(timezone.utc) - timedelta(seconds=seconds)
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def results(sweeper):
    return {row["execution_id"]: row for row in sweeper.lab.results()}


def test_an_idle_sweep_costs_no_more_with_sixty_open_requests_than_with_twenty(start):
    few, many = start(20).sweep(), start(60).sweep()
    assert few == many
    assert sum(many.values()) <= 40
