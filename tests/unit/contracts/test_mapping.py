"""The guide's field mappings and its ``validate_mapping``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.contracts import load_field_mappings, validate_mapping
from pv_testing.core.errors import ConfigError, MappingError


def test_the_first_missing_field_is_named_as_the_guide_prints_it() -> None:
    mapping = {"sr_number": "ProjectID", "customer_name": "ClientName"}
    validate_mapping({"sr_number": "SR-1", "customer_name": None}, mapping)
    with pytest.raises(MappingError) as caught:
        validate_mapping({"customer_name": "Solar"}, mapping)
    assert caught.value.message == "Missing field: sr_number"


def test_a_dotted_field_is_looked_for_inside() -> None:
    validate_mapping({"customer": {"name": "Solar"}}, {"customer.name": "ClientName"})
    with pytest.raises(MappingError, match=r"Missing field: customer\.name"):
        validate_mapping({"customer": {}}, {"customer.name": "ClientName"})


def test_of_a_field_map_only_what_it_requires() -> None:
    fields = load_field_mappings()["lims_mapping"]["service_request"]
    validate_mapping({"sr_number": "SR-1", "customer_name": "Solar", "module_model": "X"}, fields)
    with pytest.raises(MappingError, match="Missing field: module_model"):
        validate_mapping({"sr_number": "SR-1", "customer_name": "Solar"}, fields)


def test_the_guides_names_are_reached_with_nested_records_too() -> None:
    fields = load_field_mappings(others="drop")["lims_mapping"]["service_request"]
    nested = {"sr_number": "SR-1", "customer": {"name": "Solar"}, "module": {"model": "AST-400"}}
    expected = {"ProjectID": "SR-1", "ClientName": "Solar", "ProductCode": "AST-400"}
    assert fields.out(nested) == expected
    assert fields.mapping == {"sr_number": "ProjectID", "customer_name": "ClientName", "module_model": "ProductCode"}


def test_the_unit_in_a_targets_name_is_kept_to() -> None:
    fields = load_field_mappings()["lims_mapping"]["measurements"]
    measured = {
        "Pmax": {"value": 0.4025, "unit": "kW"},
        "Voc": {"value": 49.52, "unit": "V"},
        "Isc": {"value": 10240, "unit": "mA"},
        "Fill_Factor": {"value": 0.7938, "unit": "1"},
        "Vmp": {"value": 41.2, "unit": "V"},
    }
    assert fields.out(measured) == {
        "MaxPower_W": 402.5,
        "OpenCircuitVoltage_V": 49.52,
        "ShortCircuitCurrent_A": 10.24,
        "FillFactor_Percent": 79.38,
        "Vmp": {"value": 41.2, "unit": "V"},
    }
    with pytest.raises(MappingError, match="Pmax: 'V' can't be converted to 'W'"):
        fields.out({**measured, "Pmax": {"value": 1, "unit": "V"}})


def test_a_measurement_that_is_not_mapped_is_noted_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    whole = {name: {"value": 1, "unit": unit} for name, unit in (("Pmax", "W"), ("Voc", "V"), ("Isc", "A"))}
    whole["Fill_Factor"] = {"value": 80, "unit": "%"}
    load_field_mappings()["lims_mapping"]["measurements"].out({**whole, "Imp": 1})
    assert "measurements maps no field Imp" in caplog.text
    with pytest.raises(MappingError, match="maps no field Vmp"):
        load_field_mappings(others="refuse")["lims_mapping"]["measurements"].out({**whole, "Vmp": 1})


def test_a_mapping_file_that_is_wrong_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mappings.yaml"
    path.write_text("lims:\n  measurements:\n    Pmax: 5\n")
    with pytest.raises(ConfigError) as caught:
        load_field_mappings(path)
    assert "lims: can't be a name here; names are a system's name with _mapping" in str(caught.value)
    path.write_text("lims_mapping:\n  measurements:\n    Pmax: 5\n")
    with pytest.raises(
        ConfigError, match=r"mappings\.yaml:3: lims_mapping\.measurements\.Pmax: must be text or a mapping"
    ):
        load_field_mappings(path)
