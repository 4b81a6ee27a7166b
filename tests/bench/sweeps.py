"""How many requests the framework sees of a sweep of each DAG, as its own log counts them. Needs Airflow's environment.

``python -m tests.bench.sweeps 20 200`` prints, as JSON, for each number of open service requests what the first sweep
and an idle one cost. The tasks are those of the DAG files, run one after another in this process.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sandbox
from demo.laboratory import connections

PROJECT = Path(__file__).parents[2]
# How often each DAG runs in an hour, by its schedule of 300 seconds; CAPAs are looked for once a day.
HOURLY = 12
DAILY = ("pv_capa",)
ON_DEMAND = ("pv_certificates",)
PLAN = {"dry_run": False, "replay": False, "service_request": ""}
SKIPPED = ("approve", "fail_run")
OVERLAP = 1
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
        given: Any = None
        for task in self.dags[dag_id].topological_sort():
            if task.task_id not in SKIPPED:
                given = self._run(task, given)
        return len(self.lab.requests("framework")) - before

    def _run(self, task: Any, given: Any) -> Any:
        if not task.is_mapped:
            return self._execute(task)
        made = {**task.partial_kwargs, "task_id": task.task_id, **PLAN}
        for arguments in given:
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
        run = SimpleNamespace(run_after=datetime.now(timezone.utc), logical_date=None)
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


def measure(number: int) -> dict[str, dict[str, int]]:
    """Return what the first and an idle sweep cost with so many open service requests.

    Args:
        number: of the requests, each with one module whose only test is complete.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), requests=number, modules=1, protocols=1, failures=0.0, state="complete") as lab,
    ):
        sweeper = Sweeper(lab)
        sweeper.sweep("pv_intake")
        lab.receive()
        first = sweeper.sweep()
        for _ in range(4):
            time.sleep(2 * OVERLAP)
            sweeper.sweep()
        return {"first": first, "idle": sweeper.sweep()}


def main() -> None:
    """Measure what the command line names."""
    logging.disable(logging.CRITICAL)
    print(json.dumps({number: measure(int(number)) for number in sys.argv[1:]}))


if __name__ == "__main__":
    main()
