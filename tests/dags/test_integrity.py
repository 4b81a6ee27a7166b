"""The DAG files import without a network, a metadata database or a valid configuration, quickly, and say what they are.

Everything is asked in processes of their own, as the DAG processor does it, where opening a socket is an error.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pv_testing.projects.task_updates import UpdateTasks
from pv_testing.projects.time_entries import LogHours
from pv_testing.quality.nonconformances import ReportNonConformances
from pv_testing.samples.intake import CreateSamples
from pv_testing.samples.results import UploadResults
from pv_testing.workflow.step import Step
from tests.airflow.home import PROJECT, ask

DAGS = sorted(path.stem for path in (PROJECT / "dags").glob("*.py"))
HEAVY = {"pandas", "pint", "aiohttp", "requests", "sqlalchemy.orm", "zeep", "lxml", "jsonschema", "hooks.lims"}
HEAVY |= {"openlineage.client", "pv_testing.lineage"}


def probe(name: str, *arguments: str, home: Path, **extra: str) -> Any:
    path = os.pathsep.join(map(str, (PROJECT, PROJECT / "plugins", PROJECT / "dags")))
    found = ask(f"tests.dags.probes.{name}", *arguments, home=home, PYTHONPATH=path, **extra)
    database = home / "airflow.db"
    assert not database.exists() or database.stat().st_size == 0, "the metadata database was used"
    return found


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = probe("describe", str(PROJECT / "dags"), home=tmp_path_factory.mktemp("home"))
    assert found["errors"] == {}
    return dict(found["dags"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return dict(probe("measure", *DAGS, home=tmp_path_factory.mktemp("home")))


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_imports_without_heavy_libraries(measured: dict[str, Any], name: str) -> None:
    assert not HEAVY & set(measured[name][0]["imported"])


def test_each_file_is_one_dag_of_its_name(described: dict[str, Any]) -> None:
    assert sorted(described) == DAGS


LOCKING = {"pv_intake", "pv_results", "pv_quality", "pv_projects"}
"""DAGs whose runs lock the service requests that they carry, so that several may run side by side."""


@pytest.mark.parametrize("name", DAGS)
def test_a_dag_says_what_it_is(described: dict[str, Any], name: str) -> None:
    dag = described[name]
    assert len(dag["doc"]) > 300
    assert "red task" in dag["doc"]
    assert all(f"`{task}`" in dag["doc"] for task in dag["tasks"])
    assert "pv" in dag["tags"]
    assert dag["owner"] == "laboratory"
    assert dag["params"] == ["dry_run", "replay", "sr"]
    assert (dag["catchup"], dag["runs"]) == (False, 4 if name in LOCKING else 1)


@pytest.mark.parametrize("name", DAGS)
def test_every_task_is_retried_by_the_error_tree(described: dict[str, Any], name: str) -> None:
    for task in described[name]["tasks"].values():
        assert task["retries"] >= 1
        assert task["policy"]


@pytest.mark.parametrize(
    ("name", "task", "asset", "link"),
    [
        ("pv_intake", "create_samples", "pv://lims/samples", "Sample in the LIMS"),
        ("pv_results", "upload_results", "pv://lims/results", "Sample in the LIMS"),
        ("pv_status_sync", "push_statuses", "pv://lims/samples", "Sample in the LIMS"),
        ("pv_status_sync", "pull_statuses", "pv://framework/statuses", "Sample in the LIMS"),
        ("pv_quality", "report_non_conformances", "pv://qms/non_conformances", "Non-conformance in the QMS"),
        ("pv_invoicing", "create_invoices", "pv://erp/invoices", "Invoice in the ERP"),
        ("pv_invoicing", "credit_withdrawn_tests", "pv://erp/invoices", "Invoice in the ERP"),
        ("pv_projects", "create_tasks", "pv://pm/tasks", "Task in project management"),
        ("pv_projects", "update_tasks", "pv://pm/tasks", "Task in project management"),
    ],
)
def test_what_a_task_makes_is_an_asset_and_a_link(
    described: dict[str, Any], name: str, task: str, asset: str, link: str
) -> None:
    found = described[name]["tasks"][task]
    assert found["outlets"] == [asset]
    assert found["links"] == [link]


@pytest.mark.parametrize("name", DAGS)
def test_every_task_that_carries_names_what_it_reads_and_writes(described: dict[str, Any], name: str) -> None:
    silent = {"choose", "choose_updates", "choose_hours", "approve", "fail_run", "wait_for_certificates", "start_runs"}
    tasks = described[name]["tasks"]
    assert [task for task in tasks if task != "fail_run" and not tasks[task]["inlets"]] == []
    assert [task for task in tasks if task not in silent and not tasks[task]["outlets"]] == []


def test_the_asset_graph_leads_from_the_framework_to_every_system(described: dict[str, Any]) -> None:
    tasks = [task for dag in described.values() for task in dag["tasks"].values()]
    reached = {
        urlsplit(outlet).netloc
        for task in tasks
        for outlet in task["outlets"]
        if any(urlsplit(inlet).netloc == "framework" for inlet in task["inlets"])
    }
    assert {"lims", "qms", "pm", "erp"} <= reached


@pytest.mark.parametrize(
    ("name", "choose", "task", "step"),
    [
        ("pv_intake", "choose", "create_samples", CreateSamples),
        ("pv_results", "choose", "upload_results", UploadResults),
        ("pv_quality", "choose", "report_non_conformances", ReportNonConformances),
        ("pv_projects", "choose_updates", "update_tasks", UpdateTasks),
        ("pv_projects", "choose_hours", "log_hours", LogHours),
    ],
)
def test_work_is_mapped_over_what_was_chosen_for_its_sweep_and_named(
    described: dict[str, Any], name: str, choose: str, task: str, step: type[Step[Any, Any]]
) -> None:
    tasks = described[name]["tasks"]
    assert tasks[choose]["sweep"] == step.sweep
    assert tasks[choose]["checkpoint"] == step.checkpoint
    assert tasks[choose]["executions"] == step.executions
    assert set(tasks[choose]["downstream"]) - {"fail_run"} == {task}
    assert tasks[task]["mapped"]
    assert tasks[task]["title"] == "{{ task.title }}"


def test_statuses_come_back_under_the_name_that_the_workflow_remembers_them_by() -> None:
    from operators.statuses import PushStatusOperator
    from pv_testing.samples import statuses

    assert PushStatusOperator(task_id="push").step().sweep == statuses.SWEEP


@pytest.mark.parametrize(
    ("content", "interval"),
    [
        ("lims: {sync_interval: 120}", "0:02:00"),
        ("integrations: {lims: {sync_interval: 600, api_key: '${NOT_SET}'}}", "0:10:00"),
        ("lims: {sync_interval: 0}", "None"),
        ("lims: {provider: Custom}", "0:05:00"),
        ("lims: {sync_interval: often}", "0:05:00"),
        ("lims: [", "0:05:00"),
        ("- a list", "0:05:00"),
    ],
)
def test_the_schedule_is_read_from_the_configuration_and_never_breaks_an_import(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, interval: str
) -> None:
    from operators.wiring import schedule

    path = tmp_path / "integrations.yaml"
    path.write_text(content)
    monkeypatch.setenv("PV_CONFIG", str(path))
    assert str(schedule()) == interval


def test_the_environment_overrules_the_interval_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from operators.wiring import schedule

    monkeypatch.setenv("PV_SYNC_INTERVAL", "0")
    assert schedule() is None
    monkeypatch.setenv("PV_SYNC_INTERVAL", "45")
    assert str(schedule()) == "0:00:45"


def test_a_configuration_that_cannot_be_used_leaves_the_dags_on_the_list(tmp_path: Path) -> None:
    found = probe("describe", str(PROJECT / "dags"), home=tmp_path, PV_CONFIG=str(tmp_path / "absent.yaml"))
    assert found["errors"] == {}
    assert sorted(found["dags"]) == DAGS


def test_a_dag_file_that_reaches_for_the_network_is_found_out(tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "curious.py").write_text(
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/?dag=airflow')\n"
    )
    (error,) = probe("describe", str(folder), home=tmp_path / "home")["errors"].values()
    assert "reached for the network" in error


@pytest.mark.parametrize(
    "content", [b"lims: {sync_interval: 7}\n#" + b"x" * 2**20, b"[" * 100_000], ids=["huge", "deep"]
)
def test_a_configuration_that_nobody_should_read_leaves_the_usual_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    from operators.wiring import DEFAULT_INTERVAL, schedule

    monkeypatch.delenv("PV_SYNC_INTERVAL", raising=False)
    path = tmp_path / "integrations.yaml"
    path.write_bytes(content)
    monkeypatch.setenv("PV_CONFIG", str(path))
    assert schedule() == timedelta(seconds=DEFAULT_INTERVAL)
