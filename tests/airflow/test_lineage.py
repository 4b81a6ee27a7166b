"""OpenLineage's events of real runs against running systems: valid, complete, and without payload or credential."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from demo import laboratory
from demo.openlineage import SPEC, official_problems, problems
from operators.lineage_listener import without_words
from pv_testing.core.errors import Rejected
from sandbox import Lab, SeedPlan, serve
from tests.airflow.home import PROJECT, ask
from tests.airflow.home import environment as home_of

LOG = "/var/log/lineage.ndjson"
CANARY = "canary-of-a-record"
PAGE = (PROJECT / "docs" / "reference" / "lineage.md").read_text(encoding="utf-8")
EXPORT = PAGE.split("```python\n")[1].split("```")[0]
PRINTED = dict(line.split("=", 1) for line in re.findall(r"^(?:AIRFLOW|OPENLINEAGE)__[A-Z_]+=.+$", PAGE, re.MULTILINE))
OWN = """
import os

from airflow.sdk import DAG, task

from operators.files import ExportResultsOperator
from operators.records import CarryRecordsOperator
from operators.wiring import EXECUTIONS, EXPORTS, PROTOCOLS, SERVICE_REQUESTS

with DAG("exports_all", schedule=None):
    ExportResultsOperator(
        task_id="export",
        service_requests=[1],
        folder=os.environ["EXPORT_FOLDER"],
        formats=["csv", "excel", "json", "xml"],
        inlets=[SERVICE_REQUESTS, EXECUTIONS, PROTOCOLS],
        outlets=[EXPORTS],
    )

data = {"sr_number": "OWN", "serial_number": "", "sample_type": "PV Module", "customer_name": os.environ["CANARY"]}
with DAG("carries_own", schedule=None):
    CarryRecordsOperator(
        task_id="carry", system="lims", operation="create_sample", records=[{"key": "OWN/1", "data": data}]
    )

with DAG("fails", schedule=None):

    @task
    def fail():
        from pv_testing.core.errors import Rejected

        said = os.environ["CANARY"]
        try:
            raise ValueError(said)
        except ValueError as error:
            raise Rejected(f"refused {said}", system="lims", key=said, code="REFUSED", excerpt=said) from error

    fail()
"""
RUNS = [
    *("pv_intake", "pv_status_sync", "pv_results", "pv_quality", "pv_projects", "pv_invoicing", "pv_audit_sync"),
    *("pv_webhooks", "export_measurements", "exports_all", "carries_own", "fails"),
]
Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve(seed_plan=SeedPlan(modules=2, protocols=2, failures=0.9, state="complete")) as running:
        running.know_customer("Solar Power Industries")
        yield running


def environment(lab: Lab, folder: Path) -> dict[str, str]:
    """Return what the processes of Airflow are told: connections, the DAGs, the guide's field mappings."""
    dags = folder / "dags"
    dags.mkdir()
    for path in (PROJECT / "dags").glob("*.py"):
        (dags / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (dags / "own.py").write_text(OWN, encoding="utf-8")
    (dags / "export.py").write_text(EXPORT, encoding="utf-8")
    configuration = (PROJECT / "config" / "integrations.yaml").read_text(encoding="utf-8")
    (folder / "integrations.yaml").write_text(configuration, encoding="utf-8")
    (folder / "field_mappings.yaml").write_text("lims_mapping: {measurements: {Pmax: MaxPower_W}}", encoding="utf-8")
    for path in (PROJECT / "config").glob("*.yaml"):
        if not (folder / path.name).exists():
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    connections = laboratory.connections(lab)
    return {
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()},
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PV_CONFIG": str(folder / "integrations.yaml"),
        "EXPORT_FOLDER": str(folder),
        "CANARY": CANARY,
    }


@pytest.fixture(scope="module")
def told(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the text of all events of the runs."""
    folder = tmp_path_factory.mktemp("lineage")
    known, home, events = environment(lab, folder), folder / "home", folder / "events.ndjson"
    home.mkdir()
    known |= PRINTED
    known["AIRFLOW__OPENLINEAGE__TRANSPORT"] = known["AIRFLOW__OPENLINEAGE__TRANSPORT"].replace(LOG, str(events))
    command = [sys.executable, "-m", "tests.airflow.probes.carry", str(folder / "dags"), *RUNS]
    completed = subprocess.run(
        command, check=False, env={**home_of(home), **known}, cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    assert completed.returncode == 0, completed.stderr
    return events.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def events(told: str) -> Events:
    return [json.loads(line) for line in told.splitlines()]


def last(events: Events, job: str) -> dict[str, Any]:
    """Return the event that ends a task which has written something, or its last one."""
    ended = [e for e in events if e["job"]["name"] == job and e["eventType"] in {"COMPLETE", "FAIL", "RUNNING"}]
    assert ended, sorted({e["job"]["name"] for e in events})
    written = [each for each in ended if any("schema" in out["facets"] for out in each["outputs"])]
    return (written or ended)[-1]


def dataset(event: Mapping[str, Any], name: str, part: str = "outputs") -> dict[str, Any]:
    system, _, rest = name.partition("/")
    (found,) = [each for each in event[part] if (each["namespace"], each["name"]) == (f"pv://{system}", rest)]
    return dict(found)


def test_every_event_is_valid(events: Events) -> None:
    assert len(events) > 2 * len(RUNS)
    assert [each for event in events for each in problems(event)] == []


@pytest.mark.skipif(not SPEC, reason="OPENLINEAGE_SPEC names no folder with the official JSON Schemas")
def test_every_event_is_valid_by_the_official_schemas(events: Events) -> None:
    assert [each for event in events for each in official_problems(event, Path(SPEC))] == []


def test_a_validator_finds_what_is_wrong(events: Events) -> None:
    event = last(events, "pv_results.upload_results")
    assert problems(changed(event, lambda e: e["run"].update(runId="no uuid")))
    assert problems(changed(event, lambda e: e.pop("eventTime")))
    assert problems(changed(event, lambda e: e["outputs"][0].pop("namespace")))
    lineage = ["outputs", 0, "facets", "columnLineage"]
    assert problems(changed(event, lambda e: inside(e, *lineage).pop("fields")))
    assert problems(changed(event, lambda e: inside(e, *lineage).pop("_schemaURL")))
    field = [*lineage, "fields", "results.MaxPower_W", "inputFields", 0]
    assert problems(changed(event, lambda e: inside(e, *field).pop("field")))
    statistics = ["outputs", 0, "outputFacets", "outputStatistics"]
    assert problems(changed(event, lambda e: inside(e, *statistics).update(rowCount="4")))


def changed(event: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    other = copy.deepcopy(event)
    change(other)
    return other


def inside(value: Any, *path: Any) -> Any:
    for part in path:
        value = value[part]
    return value


def test_pmax_of_the_framework_becomes_the_power_in_watts_of_the_lims(events: Events) -> None:
    found = dataset(last(events, "pv_results.upload_results"), "lims/results")
    (source,) = found["facets"]["columnLineage"]["fields"]["results.MaxPower_W"]["inputFields"]
    (done,) = source.pop("transformations")
    assert source == {"namespace": "pv://framework", "name": "executions", "field": "measurements.Pmax"}
    assert (done["type"], done["subtype"], done["description"]) == ("DIRECT", "TRANSFORMATION", "converted to W")
    (column,) = [each for each in found["facets"]["schema"]["fields"] if each["name"] == "results.MaxPower_W"]
    assert (column["type"], column["description"]) == ("number", "in W")


def test_pmax_of_the_framework_becomes_a_column_of_the_exported_file(events: Events) -> None:
    event = last(events, "export_measurements.export")
    found = dataset(event, "files/exports/measurement_data")
    fields = found["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in fields["Pmax"]["inputFields"]] == ["measurements.Pmax"]
    assert [each["field"] for each in fields["value"]["inputFields"]] == ["measurements.value"]
    assert found["outputFacets"]["outputStatistics"]["rowCount"] > 4
    read = dataset(event, "framework/executions", "inputs")
    assert "measurements.Pmax" in {each["name"] for each in read["facets"]["schema"]["fields"]}


@pytest.mark.parametrize(("table", "value"), [("measurement_data", "value"), ("lims_v2", "Sample.Test.Result.Value")])
def test_pmax_becomes_a_column_of_every_exported_format(events: Events, table: str, value: str) -> None:
    event = last(events, "exports_all.export")
    found = dataset(event, f"files/exports/{table}")
    fields = found["facets"]["columnLineage"]["fields"]
    assert [each["field"] for each in fields["Pmax"]["inputFields"]] == ["measurements.Pmax"]
    assert [each["field"] for each in fields[value]["inputFields"]] == ["measurements.value"]
    assert found["outputFacets"]["outputStatistics"]["size"] > 1000
    assert found["outputFacets"]["outputStatistics"]["rowCount"] > 4
    assert [each["name"] for each in event["job"]["facets"]["ownership"]["owners"]]


def test_deliveries_of_events_are_told(events: Events) -> None:
    found = dataset(last(events, "pv_webhooks.deliver"), "webhooks/deliveries")
    assert found["outputFacets"]["outputStatistics"]["rowCount"] == 0
    assert set(found["facets"]["columnLineage"]["fields"]) == {"event", "timestamp", "data"}


def test_what_is_written_is_counted_and_described(events: Events) -> None:
    event = last(events, "pv_results.upload_results")
    found = dataset(event, "lims/results")
    assert found["outputFacets"]["outputStatistics"]["rowCount"] == 4
    assert found["facets"]["dataQualityMetrics"]["rowCount"] == 4
    assert [each["name"] for each in found["facets"]["ownership"]["owners"]] == ["laboratory"]
    assert "as the contract lims_custom says" in found["facets"]["documentation"]["description"]
    assertions = dataset(event, "lims/samples", "inputs")["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(each["success"], each["expected"], each["actual"]) for each in assertions] == [(True, "4", "4")]


def test_what_waits_is_counted_by_its_reason(events: Events) -> None:
    event = last(events, "carries_own.carry")
    assert event["eventType"] == "FAIL"
    found = dataset(event, "lims/samples")
    assert found["outputFacets"]["outputStatistics"]["rowCount"] == 0
    assert found["facets"]["dataQualityMetrics"]["rowCount"] == 1


def test_a_task_names_its_run_its_neighbours_its_source_and_its_owner(events: Events) -> None:
    event = last(events, "pv_results.upload_results")
    facets, job = event["run"]["facets"], event["job"]["facets"]
    assert facets["parent"]["job"]["name"] == "pv_results"
    assert [each["job"]["name"] for each in facets["jobDependencies"]["upstream"]] == ["pv_results.choose"]
    assert job["sourceCodeLocation"]["version"] == "4f1c0de"
    assert job["documentation"]["description"].startswith("Results of completed executions")
    assert [each["name"] for each in job["ownership"]["owners"]] == ["laboratory"]


@pytest.mark.parametrize(
    ("job", "source", "target"),
    [
        ("pv_intake.create_samples", "framework/service_requests", "lims/samples"),
        ("pv_quality.report_non_conformances", "framework/executions", "qms/non_conformances"),
        ("pv_projects.create_tasks", "framework/service_requests", "pm/tasks"),
        ("pv_projects.log_hours", "framework/executions", "pm/hours"),
        ("pv_invoicing.move_stock", "framework/service_requests", "erp/stock"),
        ("pv_audit_sync.ledger_events", "ledger/audit_events", "qms/audit_events"),
    ],
)
def test_each_system_is_reached_column_by_column(events: Events, job: str, source: str, target: str) -> None:
    found = dataset(last(events, job), target)
    used = {
        f"{each['namespace'].removeprefix('pv://')}/{each['name']}"
        for column in found["facets"]["columnLineage"]["fields"].values()
        for each in column["inputFields"]
    }
    assert source in used
    assert used <= {f"{e['namespace'].removeprefix('pv://')}/{e['name']}" for e in last(events, job)["inputs"]}


def test_no_payload_and_no_credential_is_in_any_event(told: str, lab: Lab) -> None:
    known = {name: value for name, value in vars(lab.credentials).items() if not name.endswith(("username", "_id"))}
    secrets = [value for name, value in known.items() if name != "framework_viewer"]
    held = payload(lab)
    assert len(secrets) == 12
    assert len(held) > 8, held
    assert [value for value in [*secrets, CANARY] if value in told] == []
    beside_a_time = r"(?<![\w:.]){}(?![\w])"
    assert [value for value in held if re.search(beside_a_time.format(re.escape(value)), told)] == []


def payload(lab: Lab) -> set[str]:
    """Return what records hold: serial numbers, names, addresses and measured values."""
    samples = {str(sample["external_id"]) for sample in lab.samples()}
    asked = [json.loads(row["customer"]) for row in lab.framework_rows("SELECT customer FROM service_requests")]
    customers = {str(customer[name]) for customer in asked for name in ("name", "email")}
    results = json.dumps(lab.results(), default=str)
    values = set(re.findall(r"[0-9]+\.[0-9]{2,}", results))
    return {value for value in samples | customers | values if len(value) > 4}


def test_the_error_of_a_failed_task_says_only_its_code(events: Events) -> None:
    (event,) = [each for each in events if each["job"]["name"] == "fails.fail" and each["eventType"] == "FAIL"]
    assert event["run"]["facets"]["errorMessage"]["message"] == "lims: the task's log says why [REFUSED]"


def test_an_error_has_its_words_again_once_openlineage_has_been_told() -> None:
    error = Rejected(f"refused {CANARY}", system="lims", operation="create_sample", key=CANARY, excerpt=CANARY)
    error.__cause__ = ValueError(CANARY)
    before = "".join(traceback.format_exception(error))
    with without_words(error):
        during = "".join(traceback.format_exception(error))
    assert before.count(CANARY) == 4
    assert "lims create_sample: the task's log says why [REJECTED]" in during
    assert CANARY not in during
    assert "".join(traceback.format_exception(error)) == before


def test_an_error_of_another_kind_says_only_its_type_meanwhile() -> None:
    error = ValueError(CANARY)
    with without_words(error):
        assert "".join(traceback.format_exception(error)) == "ValueError\n"
    assert str(error) == CANARY


def test_without_a_transport_openlineage_is_not_imported_and_nothing_is_kept(tmp_path: Path) -> None:
    found = ask("tests.airflow.probes.lineage_off", home=tmp_path)
    assert found == {"imported": [], "listeners": ["PreloadListener"], "flows": 0}
