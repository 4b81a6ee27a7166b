"""A sweep in which nothing has changed costs the framework as little with many open requests as with few.

The tasks of the DAG files run on Airflow connections; the sandbox's own log counts the requests.
"""

from __future__ import annotations

from collections import Counter

from tests.airflow.home import prepare

prepare()

from pv_testing.ledger import Ledger  # noqa: E402 - Airflow's home comes first
from pv_testing.workflow.sweep_backlog import SweepBacklog  # noqa: E402
from tests.bench.sweeps import SWEEPS, Sweeper, come_to_rest, multiply, running  # noqa: E402

PLAN = {"modules": 1, "protocols": 1, "failures": 0.0, "state": "complete"}
LISTINGS = ["/api/v1/audit-events", "/api/v1/executions", "/api/v1/service-requests"]


def test_an_idle_sweep_costs_five_requests_however_many_service_requests_are_open_and_writes_nothing(tmp_path):
    with running(tmp_path, requests=1, **PLAN) as lab, Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        sweeper = Sweeper(lab)
        come_to_rest(sweeper)
        for number in (20, 200):
            multiply(lab, ledger, number)
            assert {len(SweepBacklog(ledger, name).kept()["begun"]) for name in SWEEPS} == {number}
            before = {name: ledger.watermark(name) for name in SWEEPS}
            asked = len(lab.requests("framework"))
            assert sum(sweeper.sweep().values()) == 5
            paths = Counter(seen["path"] for seen in lab.requests("framework")[asked:])
            assert paths == {"/api/v1/auth/login": 2, **dict.fromkeys(LISTINGS, 1)}
            assert {name: ledger.watermark(name) for name in SWEEPS} == before
        assert sweeper.failed == {}
        (last,) = lab.framework_rows("SELECT max(execution_id) AS id, max(sr_id) AS sr_id FROM executions")
        lab.correct(last["id"], {"Pmax": {"value": 399.0, "unit": "W"}})
        asked = len(lab.requests("framework"))
        # The first run may take a listing that another sweep has asked for before the correction; the second asks.
        sweeper.sweep("pv_results")
        sweeper.sweep("pv_results")
        read = {seen["path"] for seen in lab.requests("framework")[asked:]}
        assert f"/api/v1/service-requests/{last['sr_id']}" in read
        assert f"/api/v1/executions/{last['id']}/results" in read
