"""A sweep in which nothing has changed costs the framework as little with many open requests as with few.

The tasks of the DAG files run on Airflow connections; the sandbox's own log counts the requests.
"""

from __future__ import annotations

import time

from tests.airflow.home import prepare

prepare()

from pv_testing.ledger import Ledger  # noqa: E402 - Airflow's home comes first
from sandbox import SeedPlan  # noqa: E402
from tests.bench.sweeps import Sweeper, running  # noqa: E402

SWEEPS = ("lims/samples", "lims/results", "lims/statuses", "qms/nc", "pm/projects", "pm/tasks", "pm/hours", "erp/stock")
PLAN = {"modules": 1, "protocols": 1, "failures": 0.0, "state": "complete"}


def come_to_rest(sweeper):
    sweeper.sweep("pv_intake")
    sweeper.lab.receive()
    for _ in range(4):
        sweeper.sweep()
        time.sleep(1.1)
    assert sweeper.failed == {}


def test_an_idle_sweep_costs_no_more_with_sixty_open_requests_than_with_twenty_and_writes_nothing(tmp_path):
    with running(tmp_path, requests=20, **PLAN) as lab, Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        sweeper = Sweeper(lab)
        come_to_rest(sweeper)
        before = {name: ledger.watermark(name) for name in SWEEPS}
        few = sweeper.sweep()
        assert all(before.values())
        assert {name: ledger.watermark(name) for name in SWEEPS} == before
        lab.seed(SeedPlan(requests=40, **PLAN))
        come_to_rest(sweeper)
        assert sweeper.sweep() == few
        assert sum(few.values()) <= 40
