"""How many requests the framework sees of a sweep of each DAG, as its own log counts them. Needs Airflow's environment.

``python -m tests.bench.sweeps 20 2000`` prints, as JSON, what the first sweep over 20 open service requests costs, and
an idle one over 20 and over 2,000. The tasks are those of the DAG files, run one after another in this process. Twenty
requests are carried; the others are copies of them in the framework, and in what the ledger remembers of its sweeps.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sandbox
from demo.laboratory import connections
from pv_testing.ledger import Ledger

PROJECT = Path(__file__).parents[2]
# How often each DAG runs in an hour, by its schedule of 300 seconds; CAPAs are looked for once a day.
HOURLY = 12
DAILY = ("pv_capa",)
ON_DEMAND = ("pv_certificates",)
PLAN = {"dry_run": False, "replay": False, "service_request": ""}
SKIPPED = ("approve", "fail_run")
SWEEPS = (
    "lims/samples", "lims/results", "lims/statuses", "qms/nc", "pm/projects", "pm/tasks", "pm/hours", "erp/stock",
    "erp/consumables",
)  # fmt: skip
OVERLAP = 0
MOST_SWEEPS = 12
STEP = 10_000
LONG_AGO = "2025-01-01T00:00:00+00:00"
# So that the daily reading, which is spread over the day, doesn't mix with the cost of an idle sweep.
REREAD = 8_760


class Sweeper:
    """Runs the tasks of the DAGs in a laboratory.

    Args:
        lab: which.
    """

    def __init__(self, lab: sandbox.Lab) -> None:
        from airflow.dag_processing.dagbag import DagBag

        self.lab = lab
        self.dags = DagBag(str(PROJECT / "dags")).dags
        self.failed: dict[str, str] = {}

    def sweep(self, *dag_ids: str) -> dict[str, int]:
        """Run DAGs once, all that run every few minutes if none is named, and return what each cost the framework."""
        return {dag_id: self._cost(dag_id) for dag_id in dag_ids or sorted(self.dags.keys() - {*DAILY, *ON_DEMAND})}

    def _cost(self, dag_id: str) -> int:
        before = len(self.lab.requests("framework"))
        returned: dict[str, Any] = {}
        for task in self.dags[dag_id].topological_sort():
            if task.task_id not in SKIPPED:
                returned[task.task_id] = self._run(task, returned)
        return len(self.lab.requests("framework")) - before

    def _run(self, task: Any, returned: Mapping[str, Any]) -> Any:
        if not task.is_mapped:
            return self._execute(task)
        (choosing,) = task.upstream_task_ids
        made = {**task.partial_kwargs, "task_id": task.task_id, **PLAN}
        for arguments in returned[choosing] or ():
            self._execute(task.operator_class(**{**made, **arguments}))
        return None

    def _execute(self, operator: Any) -> Any:
        from airflow.sdk.exceptions import AirflowSkipException

        from pv_testing.core.errors import IntegrationError

        for name, value in PLAN.items():
            setattr(operator, name, value)
        ti = SimpleNamespace(
            dag_id="sweep",
            run_id="run",
            task_id=operator.task_id,
            map_index=0,
            try_number=1,
            xcom_push=lambda **_: None,
        )
        events = {asset: SimpleNamespace(extra={}) for asset in operator.outlets}
        run = SimpleNamespace(run_after=datetime.now(timezone.utc), logical_date=None, run_type="scheduled")
        try:
            return operator.execute({"ti": ti, "outlet_events": events, "dag_run": run})
        except AirflowSkipException:
            return None
        except IntegrationError as error:
            self.failed[operator.task_id] = str(error)
            return None


@contextmanager
def running(folder: Path, overlap: int = OVERLAP, **plan: Any) -> Iterator[sandbox.Lab]:
    """Start a laboratory and let this process's Airflow connections and configuration lead to it.

    Args:
        folder: of its data, its configuration and the ledger.
        overlap: the framework's option.
        plan: of the laboratory.
    """
    before = dict(os.environ)
    with sandbox.serve(folder / "lab", seed_plan=sandbox.SeedPlan(**plan)) as lab:
        known = connections(lab)
        known["pv_ledger"] = {"conn_type": "pv_ledger", "extra": {"path": str(folder / "ledger.sqlite")}}
        shutil.copytree(PROJECT / "config", folder / "config")
        file = folder / "config" / "integrations.yaml"
        option = f"framework:\n  options: {{overlap: {overlap}, reread_hours: {REREAD}}}\n"
        file.write_text(file.read_text(encoding="utf-8").replace("framework:\n", option, 1), encoding="utf-8")
        os.environ.update({f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in known.items()})
        os.environ["PV_CONFIG"] = str(file)
        try:
            yield lab
        finally:
            os.environ.clear()
            os.environ.update(before)


def come_to_rest(sweeper: Sweeper) -> dict[str, int]:
    """Let the sweeps carry what there is, and return what the first one has cost."""
    sweeper.sweep("pv_intake")
    sweeper.lab.receive()
    first, costs = sweeper.sweep(), [0]
    while len(costs) < MOST_SWEEPS and costs[-2:] != [costs[-1]] * 2:
        costs.append(sum(sweeper.sweep().values()))
    return first


def multiply(lab: sandbox.Lab, ledger: Ledger, number: int) -> None:
    """Let there be so many open service requests, of which the sweeps remember what they do of those that are there.

    Args:
        lab: where requests have come to rest.
        ledger: of the sweeps.
        number: of the requests afterwards.
    """
    with closing(sqlite3.connect(lab.settings.database("framework"))) as connection, connection:
        connection.row_factory = sqlite3.Row
        there = connection.execute("SELECT * FROM service_requests WHERE id < ?", (STEP,)).fetchall()
        new = range(
            connection.execute("SELECT count(*) FROM service_requests").fetchone()[0] // len(there),
            number // len(there),
        )
        _copy(connection, "service_requests", "id", "sr_number", new)
        _copy(connection, "executions", "execution_id", "sr_id", new)
    copies = {str(_copied(row["sr_number"], n)): int(_copied(row["id"], n)) for row in there for n in new}
    for sweep in SWEEPS:
        ledger.update(sweep, partial(_remembered, copies), {})


def _copy(connection: sqlite3.Connection, table: str, identity: str, own: str, new: range) -> None:
    rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table} WHERE {identity} < {STEP}")]
    copies = [
        {**row, identity: _copied(row[identity], n), own: _copied(row[own], n), "updated_at": LONG_AGO}
        for row in rows
        for n in new
    ]
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join(f':{name}' for name in rows[0])})", copies)


def _copied(name: str | int, number: int) -> str | int:
    return name + STEP * number if isinstance(name, int) else f"{name}-{number}"


def _remembered(copies: Mapping[str, int], kept: dict[str, Any]) -> dict[str, Any]:
    then = datetime.fromisoformat(LONG_AGO).timestamp()
    read = {number: [kept["read"][number.rpartition("-")[0]][0], then] for number in copies}
    return {**kept, "begun": {**kept["begun"], **copies}, "read": {**kept["read"], **read}}


def measure(few: int, many: int) -> dict[str, Any]:
    """Return what the first sweep costs, and an idle one over so many open service requests.

    Args:
        few: requests to carry, each with one module whose only test is complete.
        many: requests of the last idle sweep.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), requests=few, modules=1, protocols=1, failures=0.0, state="complete") as lab,
        Ledger(f"sqlite:///{folder}/ledger.sqlite") as ledger,
    ):
        sweeper = Sweeper(lab)
        first = come_to_rest(sweeper)
        idle = {few: sweeper.sweep()}
        multiply(lab, ledger, many)
        return {"first": first, "idle": {**idle, many: sweeper.sweep()}}


def main() -> None:
    """Measure what the command line names."""
    logging.disable(logging.CRITICAL)
    print(json.dumps(measure(*map(int, sys.argv[1:]))))


if __name__ == "__main__":
    main()
