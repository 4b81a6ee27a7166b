"""How soon a DAG begins that an event starts: by a run id that is made of the event's, or by an asset's event.

Run it with ``python -m tests.bench.starting``; it starts a real Airflow with SQLite on this machine. Each way is asked
through the REST API, the next one only when the run before has ended, so that neither waits for the other.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from demo import airflow
from demo.api import Api
from demo.processes import Components, free_port

DAGS = Path(__file__).parent / "starting_dags"
BY_RUN_ID, BY_ASSET = "by_run_id", "by_asset"


def main() -> None:
    """Print the median and the worst of both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=15, help="events a way (default 15)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Components(Path(name) / "logs") as components:
        folder = Path(name)
        shutil.copytree(DAGS, folder / "dags")
        extra = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
        api = airflow.start(airflow.AirflowSetting(folder / "airflow", free_port(18180), {}, extra), components)
        api.log_in()
        components.wait_for("The DAGs", lambda: api.dags() >= {BY_RUN_ID, BY_ASSET} or None, seconds=120)
        waits: dict[str, list[tuple[float, float]]] = {BY_RUN_ID: [], BY_ASSET: []}
        for number in range(asked.events):
            for way, measured in waits.items():
                measured.append(_one(api, components, way, number))
    print(f"{'seconds from the event to':<28}{'the run queued':>16}{'its task begun':>16}{'worst':>8}")
    for way, measured in waits.items():
        queued, begun = (statistics.median(each) for each in zip(*measured, strict=True))
        print(f"  {way:<26}{queued:>16.2f}{begun:>16.2f}{max(each[1] for each in measured):>8.2f}")


def _one(api: Api, components: Components, way: str, number: int) -> tuple[float, float]:
    before = _runs(api, way)
    began = time.time()
    if way == BY_RUN_ID:
        api.trigger(way, f"event-{number}", {})
    else:
        (asset,) = [each for each in api.get("assets")["assets"] if each["name"] == "told"]
        began = time.time()
        api._call("POST", "assets/events", {"asset_id": asset["id"], "extra": {}})
    run = components.wait_for("The run", lambda: _ended(api, way, before), seconds=60)
    return _epoch(run["queued_at"]) - began, _epoch(run["start_date"]) - began


def _runs(api: Api, dag_id: str) -> set[str]:
    return {run["dag_run_id"] for run in api.get(f"dags/{dag_id}/dagRuns", limit=1000)["dag_runs"]}


def _ended(api: Api, dag_id: str, before: set[str]) -> dict[str, Any] | None:
    runs = api.get(f"dags/{dag_id}/dagRuns", limit=1000)["dag_runs"]
    new = [run for run in runs if run["dag_run_id"] not in before and run["state"] == "success"]
    return new[0] if new else None


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main()
