"""The scheduler has imported what tasks need before it forks their processes; a task's process imports nothing more."""

from __future__ import annotations

from pathlib import Path

from operators.preload_listener import MODULES
from tests.airflow.home import ask


def test_a_job_of_airflow_imports_what_tasks_need_when_it_starts(tmp_path: Path) -> None:
    loaded = ask("tests.airflow.probes.starting", "job", home=tmp_path)
    assert set(MODULES) <= set(loaded)
    assert "pv_testing.transports.rest" in loaded


def test_the_process_of_a_task_imports_nothing_when_it_starts(tmp_path: Path) -> None:
    loaded = ask("tests.airflow.probes.starting", "task", home=tmp_path)
    assert not {"operators.exchange", "pv_testing.contracts.compile", "pv_testing.integrations"} & set(loaded)
