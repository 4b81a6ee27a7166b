"""How soon a sample is in the LIMS after the receiver has accepted its event, and where the time goes.

    python -m tests.bench.latency [--events 20] [--ways receiver run_id asset] [--sleep 0.1]

It starts a real Airflow (LocalExecutor, SQLite) and the sandbox on this machine, and sends one event after the other,
each of a service request of its own; the clock stops when the LIMS's own database has all of its samples. Three ways:

- ``receiver``: the product's. A signed event of the framework is sent to the receiver in the API server; the clock
  starts when it is acknowledged;
- ``run_id``: the same DAG is started through the REST API under a run id of the event;
- ``asset``: a copy of the DAG, which is scheduled on an asset, is started by an event of that asset.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import requests

from demo import airflow, laboratory
from demo.processes import Components, free_port
from demo.story import Story
from sandbox import SeedPlan
from tests import yaml_text
from tests.unit.webhooks.receiving import SECRET, framework

PROJECT = Path(__file__).parents[2]
DAGS = Path(__file__).parent / "latency_dags"
TARGETS = {50: 4.0, 95: 8.0}
WAYS = {"receiver": "pv_intake", "run_id": "pv_intake", "asset": "intake_by_asset"}
ASSET = "told_service_requests"
MODULES = 4
POLL = 0.02
STAGES = (
    "until the run is queued", "until it begins", "until choose is queued", "until choose begins", "choose",
    "until create_samples is queued", "until create_samples begins", "until all samples are there",
)  # fmt: skip
Target = tuple[str, str, bool]


@dataclass(frozen=True)
class Latency:
    """What one event took.

    Attributes:
        total: seconds from its acceptance to its last sample.
        stages: the same seconds by stage.
    """

    total: float
    stages: tuple[float, ...]


class Bench:
    """A running Airflow with its laboratory, and the ways in which an event can start the intake.

    Args:
        story: what speaks to both.
    """

    def __init__(self, story: Story) -> None:
        self._story = story
        self._events = requests.Session()
        self._number = 0

    def measure(self, way: str) -> Latency:
        """Send one event of a new service request and wait for its samples."""
        sr_id, number = self._new_request()
        dag_id = WAYS[way]
        known = set(self._runs(dag_id))
        accepted = getattr(self, f"_{way}")(sr_id, number)
        there = self._wait(f"The samples of {number}", lambda: self._all_there(number))
        run_id = self._wait("The run", lambda: next(iter(set(self._runs(dag_id)) - known), None))
        self._wait("The end of all runs", self._is_idle)
        return _latency(accepted, there, self._moments(dag_id, run_id))

    def _new_request(self) -> tuple[int, str]:
        self._number += 1
        known = {each["id"] for each in self._story.lab.service_requests()}
        self._story.lab.seed(SeedPlan(requests=1, modules=MODULES, protocols=1, seed=100 + self._number))
        (new,) = [each for each in self._story.lab.service_requests() if each["id"] not in known]
        return new["id"], new["sr_number"]

    def _receiver(self, sr_id: int, number: str) -> float:
        body = framework({"sr_id": sr_id, "sr_number": number}, event="service_request.created")
        self._events.post(f"{self._story.api.url}/pv/webhooks/framework", data=body, timeout=30).raise_for_status()
        return time.time()

    def _run_id(self, sr_id: int, number: str) -> float:
        began = time.time()
        self._story.api.trigger("pv_intake", f"event-{number}", {"sr": str(sr_id)})
        return began

    def _asset(self, sr_id: int, _: str) -> float:
        (asset,) = [each for each in self._story.api.get("assets")["assets"] if each["name"] == ASSET]
        began = time.time()
        self._story.api._call("POST", "assets/events", {"asset_id": asset["id"], "extra": {"sr": str(sr_id)}})
        return began

    def _all_there(self, number: str) -> float | None:
        (row,) = self._story.lab.lims_rows("SELECT count(*) AS there FROM samples WHERE project_id = ?", number)
        return time.time() if row["there"] == MODULES else None

    def _runs(self, dag_id: str) -> list[str]:
        runs = self._story.api.get(f"dags/{dag_id}/dagRuns", order_by="-id", limit=20)["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def _is_idle(self) -> bool | None:
        """Return ``True`` once no run is under way, so that the next event is not slowed by what this one started."""
        return not any(run.state in {"queued", "running"} for run in self._story.api.runs()) or None

    def _moments(self, dag_id: str, run_id: str) -> list[float]:
        """Return when the run and its tasks were queued, began and ended."""
        path = f"dags/{dag_id}/dagRuns/{run_id}"
        run = self._story.api.get(path)
        tasks = {each["task_id"]: each for each in self._story.api.get(f"{path}/taskInstances")["task_instances"]}
        choose, create = tasks["choose"], tasks["create_samples"]
        times = (
            run["queued_at"], run["start_date"], choose["queued_when"], choose["start_date"], choose["end_date"],
            create["queued_when"], create["start_date"],
        )  # fmt: skip
        return [datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() for text in times]

    def _wait(self, what: str, ready: Callable[[], Any]) -> Any:
        return self._story.components.wait_for(what, ready, seconds=120, poll=POLL)


def _latency(accepted: float, there: float, between: Sequence[float]) -> Latency:
    moments = [accepted, *between, there]
    return Latency(there - accepted, tuple(later - earlier for earlier, later in pairwise(moments)))


@contextmanager
def running(ways: Mapping[str, str], sleep: float) -> Iterator[Bench]:
    """Start Airflow and the sandbox, and give what measures them.

    Args:
        ways: which are measured; the copy of the DAG is there for one of them only.
        sleep: seconds for which an idle scheduler sleeps.
    """
    with tempfile.TemporaryDirectory() as name, Components(Path(name) / "logs") as components:
        folder = Path(name)
        shutil.copytree(PROJECT / "dags", folder / "dags")
        if "asset" in ways:
            shutil.copytree(DAGS, folder / "dags", dirs_exist_ok=True)
        lab = laboratory.start(folder / "sandbox", components, "--seed-on-start", "--requests", "1", "--modules", "1")
        extra = {
            **_settings(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": str(sleep),
        }
        setting = airflow.AirflowSetting(folder / "airflow", free_port(18480), laboratory.connections(lab), extra)
        api = airflow.start(setting, components)
        api.log_in()
        story = Story(lab, api, components)
        story.wait_for_dags()
        components.wait_for("The DAGs", lambda: api.dags() >= set(ways.values()) or None, seconds=120)
        yield Bench(story)


def _settings(folder: Path) -> dict[str, str]:
    """Write the configuration of a receiver of the framework's events, and return the environment that names it."""
    shutil.copytree(PROJECT / "config", folder / "config")
    receive = {"systems": {"framework": {"secrets": ["env:FRAMEWORK_WEBHOOK_SECRET"]}}}
    (folder / "config" / "webhooks.yaml").write_text(yaml_text.dump({"receive": receive}))
    return {
        "PV_SYNC_INTERVAL": "0",
        "PV_CONFIG": str(folder / "config" / "integrations.yaml"),
        "FRAMEWORK_WEBHOOK_SECRET": SECRET,
    }


def measure(events: int, names: list[str] | None = None, sleep: float = 0.1) -> list[Target]:
    """Measure the ways in turns, print what each stage took, and return which targets the receiver reaches.

    Args:
        events: of each way; one more warms it up and is not counted.
        names: of the ways; the receiver's alone without them.
        sleep: seconds for which an idle scheduler sleeps.
    """
    ways = {name: WAYS[name] for name in names or ["receiver"]}
    measured: dict[str, list[Latency]] = {name: [] for name in ways}
    before = os.getloadavg()[0]
    with running(ways, sleep) as bench:
        for place in range(events + 1):
            for name, latencies in measured.items():
                latency = bench.measure(name)
                if place:
                    latencies.append(latency)
    load = f"load before {before:.1f}, after {os.getloadavg()[0]:.1f}"
    print(f"\nseconds from an event to its samples in the LIMS; {load}")
    for name, latencies in measured.items():
        _show(name, latencies)
    totals = [each.total for each in measured.get("receiver", [])]
    return [
        (f"from an event to its samples, {share} of 100 within {most:g} s", f"{_within(totals, share):.2f} s",
         _within(totals, share) < most)
        for share, most in TARGETS.items() if totals
    ]  # fmt: skip


def _show(name: str, latencies: list[Latency]) -> None:
    totals = [each.total for each in latencies]
    shares = ", ".join(f"{share} of 100 within {_within(totals, share):.2f}" for share in TARGETS)
    print(f"  {name}: {shares}, {len(totals)} events; each stage's median and worst:")
    for place, stage in enumerate(STAGES):
        spent = [each.stages[place] for each in latencies]
        print(f"    {stage:<38}{median(spent):>8.2f}{max(spent):>8.2f}")


def _within(seconds: list[float], share: int) -> float:
    """Return within how many seconds more than that share of 100 was done."""
    return sorted(seconds)[min(len(seconds) * share // 100, len(seconds) - 1)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20, help="events a way (default 20)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["receiver"], help="default: receiver")
    parser.add_argument("--sleep", type=float, default=0.1, help="scheduler_idle_sleep_time (default 0.1 s)")
    asked = parser.parse_args()
    for name, value, reached in measure(asked.events, asked.ways, asked.sleep):
        print(f"  {'reached' if reached else 'MISSED ':8} {name:<72}{value}")


if __name__ == "__main__":
    main()
