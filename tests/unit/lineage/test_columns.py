"""What changes in the framework changes no column that doesn't name it as its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from pv_testing.contracts import load_contract
from pv_testing.contracts.model import Contract
from pv_testing.core.places import contract_names
from pv_testing.core.records import Record
from pv_testing.domain.datasets import ABOUT, TARGETS
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.lineage.columns import INDIRECT, Column, ColumnReader
from pv_testing.lineage.flows import merged
from pv_testing.lineage.origins import ORIGINS, OTHERS, origins_of
from pv_testing.quality.judgement import judge
from pv_testing.quality.policy import QualityPolicy
from pv_testing.quality.reports import nonconformance_record
from pv_testing.samples.records import sample_records
from pv_testing.samples.result_sets import result_record

RENAMED = {"Pmax": ("MaxPower_W", "W")}
CONTRACTS = [name for name in contract_names() if not name.startswith("field_mappings")]
PMAX = {"parameter": "Pmax", "expected": "400 W", "tolerance": "±3 %", "measured": 371.2, "result": "FAIL"}


def world() -> dict[str, Any]:
    """Return a small framework, as its API says it."""
    return {
        "service_requests": {
            "id": 1,
            "sr_number": "SR-1",
            "customer": {"name": "Helios"},
            "modules": [{"serial_number": "SN1", "model": "M400"}],
        },
        "executions": {
            "execution_id": "77",
            "protocol_id": "PVTP-001",
            "module_id": "SN1",
            "status": "COMPLETE",
            "completed_at": "2025-11-13T15:30:00Z",
            "operator": {"name": "Ada"},
            "equipment": [{"id": "SIM-1", "calibration_due": "2025-01-01"}],
            "results": {
                "measurements": {
                    "Pmax": {"value": 371.2, "unit": "W", "uncertainty": 2.0},
                    "Voc": {"value": 49.4, "unit": "V", "uncertainty": 0.1},
                },
                "qc_status": "FAIL",
                "pass_fail": {"overall": "FAIL", "criteria": [dict(PMAX)]},
                "test_conditions": {"irradiance": {"target": 1000, "actual": 900, "unit": "W/m²", "compliant": False}},
            },
        },
        "protocols": {"protocol_id": "PVTP-001", "name": "STC Power", "category": "Performance"},
        "samples": {"id": "LIM-1"},
    }


def records(answers: Mapping[str, Any]) -> dict[str, Record]:
    """Return what the workflows make of a framework, by kind."""
    request, execution = read_service_request(answers["service_requests"]), read_execution(answers["executions"])
    protocol = answers["protocols"]
    result = result_record(execution, protocol, request.sr_number, answers["samples"]["id"])
    renamed = [
        {**each, "parameter": RENAMED.get(each["parameter"], (each["parameter"],))[0]}
        for each in result.data["measurements"]
    ]
    return {
        "sample": sample_records(request)[0],
        "result": Record(result.key, {**result.data, "measurements": renamed}),
        "nc": nonconformance_record(execution, request, protocol, judge(execution), QualityPolicy()),
    }


OPERATIONS = {
    "sample": ("lims_custom", "create_sample"),
    "result": ("lims_custom", "upload_results"),
    "nc": ("qms_custom", "create_nc_report"),
}


def columns(kind: str, contract: Contract, renamed: Mapping[str, tuple[str, str]] | None = None) -> dict[str, Column]:
    operation = next(each for each in contract.operations.values() if each.kind == kind and each.map)
    reader = ColumnReader(contract, ORIGINS[kind], renamed or {})
    assert operation.map is not None
    return {column.name: column for column in merged(reader.columns(operation.map))}


def written(answers: Mapping[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """Return the values of every column, by kind; a quantity counts as a column of its own."""
    found = {}
    for kind, record in records(answers).items():
        contract, operation = OPERATIONS[kind]
        payload = load_contract(contract).operation(operation).prepare(record.data)
        found[kind] = {}
        for name, value in flat(payload):
            found[kind].setdefault(name, []).append(value)
    return found


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        for each in value:
            yield from flat(each, path)
            if "analyte" in each:
                yield f"{path}.{each['analyte']}", each["value"]
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from flat(each, f"{path}.{name}" if path else name)
    else:
        yield path, value


def results(answers: dict[str, Any]) -> dict[str, Any]:
    return dict(answers["executions"]["results"])


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "framework/service_requests.sr_number": lambda w: w["service_requests"].update(sr_number="SR-2"),
    "framework/service_requests.customer.name": lambda w: w["service_requests"]["customer"].update(name="Fjord"),
    "framework/service_requests.modules.serial_number": lambda w: w["service_requests"]["modules"][0].update(
        serial_number="SN2"
    ),
    "framework/service_requests.modules.model": lambda w: w["service_requests"]["modules"][0].update(model="M500"),
    "framework/executions.execution_id": lambda w: w["executions"].update(execution_id="78"),
    "framework/executions.protocol_id": lambda w: w["executions"].update(protocol_id="PVTP-002"),
    "framework/executions.serial_number": lambda w: w["executions"].update(module_id="SN3"),
    "framework/executions.completed_at": lambda w: w["executions"].update(completed_at="2024-11-13T15:30:00Z"),
    "framework/executions.operator.name": lambda w: w["executions"]["operator"].update(name="Grace"),
    "framework/executions.equipment": lambda w: w["executions"]["equipment"][0].update(id="SIM-2"),
    "framework/executions.conditions": lambda w: results(w)["test_conditions"]["irradiance"].update(actual=901),
    "framework/executions.measurements.Pmax": lambda w: results(w)["measurements"]["Pmax"].update(value=372.0),
    "framework/executions.measurements.unit": lambda w: results(w)["measurements"]["Pmax"].update(unit="kW"),
    "framework/executions.measurements.uncertainty": lambda w: results(w)["measurements"]["Voc"].update(uncertainty=1),
    "framework/executions.criteria.result": lambda w: results(w)["pass_fail"]["criteria"][0].update(result="PASS"),
    "framework/executions.criteria.expected": lambda w: results(w)["pass_fail"]["criteria"][0].update(expected="4 W"),
    "framework/protocols.name": lambda w: w["protocols"].update(name="Flash"),
    "lims/samples.id": lambda w: w["samples"].update(id="LIM-2"),
}
QUANTITY = "framework/executions.measurements.Pmax"


def names(column: Column, source: str) -> bool:
    """Whether a column names a source, or what the source is a part of or has as a part."""
    found = [f"{each.dataset}.{each.column}" for each in column.sources]
    found += [f"{each.dataset}.measurements.Pmax" for each in column.sources if each.column == "measurements.value"]
    return any(f"{one}.".startswith(f"{source}.") or f"{source}.".startswith(f"{one}.") for one in found)


@pytest.mark.parametrize("source", CHANGES)
def test_what_changes_in_the_framework_changes_only_columns_that_name_it(source: str) -> None:
    before, other = written(world()), world()
    CHANGES[source](other)
    after, changed = written(other), 0
    for kind, (contract, _) in OPERATIONS.items():
        known = columns(kind, load_contract(contract), RENAMED)
        for name in {*before[kind], *after[kind]}:
            if before[kind].get(name) != after[kind].get(name):
                changed += 1
                whole = next(each for each in sorted(known, reverse=True) if f"{name}.".startswith(f"{each}."))
                if source == "framework/executions.measurements.unit" and name == "results.MaxPower_W":
                    continue  # the value of a quantity means value and unit together
                assert names(known[whole], source), f"{kind}: {name} changed with {source}, which it doesn't name"
    assert changed


def test_a_quantity_becomes_a_column_under_its_name_and_in_its_unit_in_the_system() -> None:
    found = columns("result", load_contract("lims_custom"), RENAMED)
    (source,) = found["results.MaxPower_W"].sources
    assert (source.dataset, source.column) == ("framework/executions", "measurements.Pmax")
    assert (source.subtype, source.description) == ("TRANSFORMATION", "converted to W")
    assert found["results.MaxPower_W"].description == "in W"
    assert "results.Pmax" not in found
    assert found["results.Voc"].description == "in V"


def test_the_unit_decides_about_a_value_and_is_no_part_of_it() -> None:
    sources = columns("result", load_contract("lims_custom"))["results.value"].sources
    assert {each.column for each in sources if each.type == INDIRECT} == {"measurements.unit", "measurements.parameter"}


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_field_that_a_contract_sends_has_an_origin_or_is_known_to_have_none(name: str) -> None:
    contract = load_contract(name)
    for operation in contract.operations.values():
        if not operation.kind or operation.map is None:
            continue
        assert operation.kind in TARGETS
        if operation.kind in ORIGINS:
            unknown = [
                field
                for field, spec in operation.map.specs.items()
                if "const" not in spec and not any(known(operation.kind, path) for path in (field, *spec["from"]))
            ]
            assert unknown == [], f"{name}: {operation.name}"


CONSTANT = {
    ("sample", "sample_type"),
    ("sample_status", "notes"),
    ("invoice_posting", "status"),
    ("nc", "source"),
    ("resource_usage", "resource_type"),
}


def known(kind: str, field: str) -> bool:
    entries = [each for each in ORIGINS[kind] if each == field or each.startswith(f"{field}.")]
    return bool(entries or OTHERS in ORIGINS[kind] or (kind, field) in CONSTANT)


def test_every_dataset_that_is_named_is_described() -> None:
    used = {
        origin.dataset for origins in ORIGINS.values() for field in origins for origin in origins_of(origins, field)
    }
    assert used | set(TARGETS.values()) <= set(ABOUT)
