"""OpenLineage's events name the sources of findings, of their CAPAs, and of the CAPAs' files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from demo.openlineage import problems
from sandbox import Lab, SeedPlan, serve
from tests.airflow.home import PROJECT
from tests.airflow.home import environment as home_of
from tests.airflow.test_lineage import LOG, PRINTED, Events, dataset, environment, last


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with serve(seed_plan=SeedPlan(modules=12, protocols=6, failures=0.0, weak="PVTP-018")) as running:
        for request in running.service_requests():
            running.advance(request["id"], "PROTOCOLS_ASSIGNED")
        running.run_executions()
        yield running


@pytest.fixture(scope="module")
def events(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Events:
    """Return the events of a run that reports failures, and of one that asks no person and raises the CAPA."""
    folder = tmp_path_factory.mktemp("capas")
    known, told = environment(lab, folder) | PRINTED, folder / "events.ndjson"
    rules = folder / "capa.yaml"
    asking = rules.read_text(encoding="utf-8")
    assert "required: true " in asking
    rules.write_text(asking.replace("required: true ", "required: false "), encoding="utf-8")
    known["AIRFLOW__OPENLINEAGE__TRANSPORT"] = known["AIRFLOW__OPENLINEAGE__TRANSPORT"].replace(LOG, str(told))
    command = [sys.executable, "-m", "tests.airflow.probes.carry", str(folder / "dags"), "pv_quality", "pv_capa"]
    home = folder / "home"
    home.mkdir()
    completed = subprocess.run(
        command, check=False, env={**home_of(home), **known}, cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    assert completed.returncode == 0, completed.stderr
    return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]


def sources(event: dict[str, Any], name: str) -> dict[str, set[str]]:
    """Return the columns of a written dataset, each with those that it comes from."""
    fields = dataset(event, name)["facets"]["columnLineage"]["fields"]
    return {
        column: {
            f"{each['namespace'].removeprefix('pv://')}/{each['name']}.{each['field']}"
            for each in lineage["inputFields"]
        }
        for column, lineage in fields.items()
    }


def names(event: dict[str, Any], name: str, part: str) -> set[str]:
    return {each["name"] for each in dataset(event, name, part)["facets"]["schema"]["fields"]}


def test_every_event_is_valid(events: Events) -> None:
    assert [each for event in events for each in problems(event)] == []


def test_a_capa_comes_column_by_column_from_its_finding(events: Events) -> None:
    event = last(events, "pv_capa.raise_capas")
    found = sources(event, "qms/capas")
    assert found["title"] == {"ledger/findings.title"}
    assert found["external_id"] == {"ledger/findings.capa_key"}
    assert found["related_ncs"] == {"ledger/findings.related_ncs"}
    assert found["approved_by"] == {"ledger/findings.approved_by"}
    assert dataset(event, "qms/capas")["outputFacets"]["outputStatistics"]["rowCount"] == 1


def test_the_files_of_a_capa_come_from_what_they_are_drawn_from(events: Events) -> None:
    event = last(events, "pv_capa.raise_capas")
    found = sources(event, "qms/attachments")
    drawn = {f"ledger/findings.{name}" for name in ("executions", "modules", "strata", "chart", "signal")}
    assert found == {"capa_id": {"qms/capas.id"}, "content": drawn, "sha256": drawn}
    assert dataset(event, "qms/attachments")["outputFacets"]["outputStatistics"]["rowCount"] == 3


def test_what_is_read_of_a_finding_was_written_with_it_or_with_its_approval(events: Events) -> None:
    written = names(last(events, "pv_capa.find_findings"), "ledger/findings", "outputs")
    read = names(last(events, "pv_capa.raise_capas"), "ledger/findings", "inputs")
    assert read <= written | {"approved_by"}


def test_a_finding_comes_from_executions_and_their_non_conformances(events: Events) -> None:
    found = sources(last(events, "pv_capa.find_findings"), "ledger/findings")
    assert found["related_ncs"] == {"qms/non_conformances.id"}
    assert {"framework/executions.execution_id", "qms/non_conformances.id"} <= found["executions"]
