"""The operator for a DAG of one's own, run by `dag.test()` against a running LIMS: what it carries, shows and keeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from demo import laboratory
from operators.records import CarryRecordsOperator, records_of
from pv_testing.core.errors import ConfigError
from sandbox import Lab, serve
from tests import yaml_text
from tests.airflow.home import PROJECT, ask

CANARY = "canary-of-a-record"
DAGS = f'''
from airflow.sdk import DAG, task

from operators.records import CarryRecordsOperator

AT_ONCE = {{"retries": 2, "retry_delay": 0}}


def sample(order, serial, **other):
    data = {{"sr_number": order, "serial_number": serial, "sample_type": "PV Module", "customer_name": "Helios"}}
    return {{"key": f"{{order}}/{{serial}}", "data": {{**data, **other}}}}


def carry(dag_id, records, **arguments):
    with DAG(dag_id, schedule=None):
        given = {{"system": "lims", "operation": "create_sample", **arguments}}
        CarryRecordsOperator(task_id="carry", records=records, **given, **AT_ONCE)


carry("literal", [sample("{{{{ dag.dag_id }}}}", "SN1", module={{"api_key": "{CANARY}", "model": "M400"}})])
carry("dry", [sample("dry", "SN1")], dry_run="{{{{ true }}}}")
carry("incomplete", [sample("incomplete", "SN1"), sample("incomplete", "")])
carry("quoted", "{{{{ [] }}}}")
carry("disabled", [sample("disabled", "SN1")], system="erp")
carry("plain", [sample("plain", "SN1")], operation="get_samples")
carry("unknown", [sample("unknown", "SN1")], operation="create_smaple")

with DAG("given", schedule=None):

    @task
    def give():
        return [sample("given", "SN1"), sample("given", "{{{{ 1 + 1 }}}}")]

    carry_given = CarryRecordsOperator(task_id="carry", system="lims", operation="create_sample", records=give())

with DAG("mapped", schedule=None):

    @task
    def split():
        return [[sample("mapped", "SN1")], [sample("mapped", "SN2"), sample("mapped", "{{{{ 1 + 1 }}}}")]]

    CarryRecordsOperator.partial(task_id="carry", system="lims", operation="create_sample").expand(records=split())
'''


@pytest.fixture(scope="module")
def lab() -> Any:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def told(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Return what Airflow kept of the runs of each DAG, the printed one included."""
    folder = tmp_path_factory.mktemp("carry")
    dags = folder / "dags"
    dags.mkdir()
    (printed,) = (each for each in printed_dags() if "CarryRecordsOperator" in each)
    (dags / "own.py").write_text(DAGS + "\n" + printed, encoding="utf-8")
    connections = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in laboratory.connections(lab).items()
    }
    runs = ["literal", "literal", "dry", "incomplete", "quoted", "plain", "unknown", "given", "mapped"]
    runs += ["disabled", "samples_from_a_list", "samples_from_a_list"]
    home = folder / "home"
    home.mkdir()
    configuration = yaml_text.read(PROJECT / "config" / "integrations.yaml")
    configuration["erp"] = {"enabled": False}
    (folder / "integrations.yaml").write_text(yaml_text.dump(configuration), encoding="utf-8")
    connections["PV_CONFIG"] = str(folder / "integrations.yaml")
    extra = {**connections, "AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    found = ask("tests.airflow.probes.carry", str(dags / "own.py"), *runs, home=home, **extra)
    by_dag: dict[str, list[dict[str, Any]]] = {}
    for name, run in zip(runs, found, strict=True):
        by_dag.setdefault(name, []).append(run)
    return by_dag


def printed_dags() -> list[str]:
    page = (PROJECT / "docs" / "reference" / "airflow.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_records_arrive_once_and_a_second_run_sends_nothing(told: dict[str, Any], lab: Lab) -> None:
    first, second = (run["carry"] for run in told["literal"])
    assert [run["run"] for run in told["literal"]] == ["success", "success"]
    assert (first["xcom"][0]["counts"]["created"], second["xcom"][0]["counts"]["unchanged"]) == (1, 1)
    (stored,) = lab.samples("literal")
    assert stored["external_id"] == "SN1"


def test_what_the_task_returns_is_numbers_and_keys_only(told: dict[str, Any]) -> None:
    (report,) = told["literal"][0]["carry"]["xcom"]
    assert set(report) == {"operations", "counts", "notes", "not_in_effect", "seconds"}
    assert report["operations"] == {"lims.create_sample": {"created": 1}}
    assert not any(word in json.dumps(report) for word in ("Helios", "M400", CANARY))


def test_the_rendered_templates_show_the_records_without_secrets(told: dict[str, Any], lab: Lab) -> None:
    rendered = told["literal"][0]["carry"]["rendered"]
    assert set(rendered) == {"operation", "records", "is_dry_run", "replay", "conn_id", "ledger_conn_id"}
    (record,) = rendered["records"]
    assert record["key"] == "literal/SN1"
    assert record["data"]["module"] == {"api_key": "***", "model": "M400"}
    everything = json.dumps(told)
    assert CANARY not in everything
    assert lab.credentials.lims_api_key not in everything


def test_a_dry_run_changes_nothing(told: dict[str, Any], lab: Lab) -> None:
    (run,) = told["dry"]
    assert run["run"] == "success"
    assert run["carry"]["xcom"][0]["counts"]["created"] == 1
    assert lab.samples("dry") == []


def test_a_record_that_waits_for_a_person_fails_the_task_at_once_and_the_others_are_done(
    told: dict[str, Any], lab: Lab
) -> None:
    (run,) = told["incomplete"]
    assert (run["run"], run["carry"]["state"], run["carry"]["try"]) == ("failed", "failed", 1)
    (report,) = run["carry"]["xcom"]
    assert (report["counts"]["created"], report["not_in_effect"]) == (1, ["incomplete/"])
    assert len(lab.samples("incomplete")) == 1


@pytest.mark.parametrize("dag", ["quoted", "plain", "unknown"])
def test_what_cannot_be_meant_fails_at_once_and_sends_nothing(told: dict[str, Any], lab: Lab, dag: str) -> None:
    (run,) = told[dag]
    assert (run["carry"]["state"], run["carry"]["try"], run["carry"]["xcom"]) == ("failed", 1, [])
    assert lab.samples(dag) == []


def test_what_comes_from_a_task_is_no_template(told: dict[str, Any], lab: Lab) -> None:
    (run,) = told["given"]
    assert run["run"] == "success"
    assert {each["external_id"] for each in lab.samples("given")} == {"SN1", "{{ 1 + 1 }}"}


def test_it_can_be_mapped_over_what_a_task_gives(told: dict[str, Any], lab: Lab) -> None:
    (run,) = told["mapped"]
    assert run["run"] == "success"
    counts = [run[f"carry[{place}]"]["xcom"][0]["counts"]["created"] for place in (0, 1)]
    assert counts == [1, 2]
    assert {each["external_id"] for each in lab.samples("mapped")} == {"SN1", "SN2", "{{ 1 + 1 }}"}


def test_the_printed_dag_carries_its_records_once(told: dict[str, Any], lab: Lab) -> None:
    assert [run["run"] for run in told["samples_from_a_list"]] == ["success", "success"]
    assert sorted(each["external_id"] for each in lab.samples("ORDER-7")) == ["SN001", "SN002"]


def test_it_is_skipped_where_the_system_is_disabled(told: dict[str, Any]) -> None:
    (run,) = told["disabled"]
    assert run["carry"]["state"] == "skipped"


def test_a_system_that_there_is_not_is_said_when_the_dag_is_read() -> None:
    with pytest.raises(ConfigError, match="allowed: erp, framework, lims, pm, qms"):
        CarryRecordsOperator(task_id="carry", system="limz", operation="create_sample", records=[])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "must be a list, not NoneType"),
        ({"key": "a", "data": {}}, "must be a list, not dict"),
        ("[]", "not a template in quotes"),
        ([{"key": "a"}], r"records\[0\] must be a mapping with the fields key and data"),
        ([{"key": "a", "data": {}, "datum": CANARY}], "and no others"),
        ([{"key": "a", "data": {}}, {"key": " ", "data": {}}], r"records\[1\] has a key that isn't text or is empty"),
        ([{"key": 7, "data": {}}], "has a key"),
        ([{"key": "a", "data": CANARY}], "has data that isn't a mapping"),
        ([CANARY], "must be a mapping"),
    ],
)
def test_records_of_another_form_are_refused_without_what_they_hold(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        records_of(given)
    assert CANARY not in str(raised.value)
    assert raised.value.code == "RECORDS_UNUSABLE"
