"""Where Airflow lives while the tests run: a folder inside the clone that goes when they end."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FRUGAL = {
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "30",
}
"""Lets a running Airflow that waits for tests take little of the machine; no DAG file changes meanwhile."""


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that finds this project as Airflow does, and none of the caller's Airflow."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PV_"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT / "plugins", PROJECT))),
    }


@functools.cache
def prepare() -> Path:
    """Give this process an empty Airflow home, before anything imports Airflow, and return it."""
    parent = PROJECT / ".run"
    parent.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="tests-", dir=parent))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update({name: value for name, value in environment(home).items() if name.startswith("AIRFLOW")})
    return home


def ask(probe: str, *arguments: str, home: Path, **extra: str) -> Any:
    """Run a module that prints JSON in a process of its own, and return what it prints."""
    command = [sys.executable, "-m", probe, *arguments]
    answer = subprocess.run(
        command,
        env={**environment(home), **extra},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def connect(monkeypatch: pytest.MonkeyPatch, connections: Mapping[str, Mapping[str, Any]]) -> None:
    """Give this process Airflow connections, by their ids."""
    for conn_id, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
