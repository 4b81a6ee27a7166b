"""The few calls of Airflow's REST API that the demo makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

TIMEOUT = 30.0
PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
MOST_RUNS = 100
FINAL = frozenset({"success", "failed"})


@dataclass(frozen=True)
class TaskRun:
    """One task instance of a run.

    Attributes:
        name: the task's id, with its label where it is mapped.
        task_id: the task's id.
        map_index: its index where it is mapped, else -1.
        state: its state in Airflow, such as ``success``.
        attempt: the number of its last try.
    """

    name: str
    task_id: str
    map_index: int
    state: str
    attempt: int


@dataclass(frozen=True)
class Run:
    """One run of a DAG.

    Attributes:
        dag_id: the DAG.
        run_id: its id.
        kind: of its start, such as ``manual`` or ``asset_triggered``.
        state: how far it is.
    """

    dag_id: str
    run_id: str
    kind: str
    state: str


class Api:
    """Airflow's API, spoken to as the local administrator.

    Args:
        url: the address of the API server.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def healthy(self) -> bool | None:
        """Return ``True`` once every component says that it is healthy, else ``None``."""
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=TIMEOUT).json()
        except (requests.ConnectionError, requests.JSONDecodeError):
            return None
        return True if all(health[part]["status"] == "healthy" for part in PARTS) else None

    def log_in(self) -> None:
        """Fetch a token; the simple auth manager gives one to every caller on this machine."""
        answer = self._session.get(f"{self.url}/auth/token", timeout=TIMEOUT)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> set[str]:
        """The ids of the DAGs that Airflow has read."""
        return {dag["dag_id"] for dag in self.get("dags")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """The stack traces of DAG files that can't be imported, by file name."""
        return {error["filename"]: error["stack_trace"] for error in self.get("importErrors")["import_errors"]}

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run; a run id that is there already is refused."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        self._call("POST", f"dags/{quote(dag_id)}/dagRuns", body)

    def finished(self, dag_id: str, run_id: str) -> str | None:
        """Return the run's final state, or ``None`` while it has none."""
        state = self.get(_run(dag_id, run_id))["state"]
        return state if state in FINAL else None

    def runs(self) -> list[Run]:
        """Return the latest runs of all DAGs, oldest first."""
        runs = self.get("dags/~/dagRuns", order_by="-id", limit=MOST_RUNS)["dag_runs"]
        return [Run(run["dag_id"], run["dag_run_id"], run["run_type"], run["state"]) for run in reversed(runs)]

    def queued(self, dag_id: str) -> int:
        """Return how many changes of data a DAG has still to take in with a run."""
        return int(self.get(f"dags/{quote(dag_id)}/assets/queuedEvents")["total_entries"])

    def questions(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the questions of a run that wait for a person."""
        asked = self.get(f"{_run(dag_id, run_id)}/hitlDetails")["hitl_details"]
        return [each for each in asked if not each["response_received"]]

    def answer(self, dag_id: str, run_id: str, question: Mapping[str, Any], option: str) -> None:
        """Answer a question as the local administrator."""
        task = question["task_instance"]
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task['task_id'])}/{task['map_index']}/hitlDetails"
        self._call("PATCH", path, {"chosen_options": [option]})

    def tasks(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """Return the run's task instances."""
        tasks = self.get(f"{_run(dag_id, run_id)}/taskInstances")["task_instances"]
        return [_task_run(task) for task in tasks]

    def result(self, dag_id: str, run_id: str, task: TaskRun) -> Any:
        """Return the value that a task has returned."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task.task_id)}/xcomEntries/return_value"
        return self.get(path, map_index=task.map_index, deserialize=True)["value"]

    def log(self, dag_id: str, run_id: str, task: TaskRun) -> list[str]:
        """Return the lines of the log of a task's last try."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task.task_id)}/logs/{task.attempt}"
        content = self.get(path, map_index=task.map_index)["content"]
        return [line["event"] if isinstance(line, dict) else str(line) for line in content]

    def test_connection(self, conn_id: str, connection: Mapping[str, Any]) -> Any:
        """Press the Test button of a connection's form; returns ``status`` and ``message``."""
        extra = json.dumps(connection.get("extra") or {})
        return self._call("POST", "connections/test", {**connection, "connection_id": conn_id, "extra": extra})

    def get(self, path: str, **query: Any) -> Any:
        """Read something below ``/api/v2``."""
        return self._call("GET", path, query=query)

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        answer = self._session.request(method, f"{self.url}/api/v2/{path}", json=body, params=query, timeout=TIMEOUT)
        if not answer.ok:
            problem = f"{method} {answer.url}: {answer.status_code} {answer.text[:500]}"
            raise requests.HTTPError(problem, response=answer)
        return answer.json()


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"


def _task_run(task: Mapping[str, Any]) -> TaskRun:
    label = task.get("rendered_map_index")
    return TaskRun(
        name=f"{task['task_id']} [{label}]" if label else task["task_id"],
        task_id=task["task_id"],
        map_index=task["map_index"],
        state=task["state"] or "",
        attempt=task["try_number"],
    )
