"""What ``lims_v2`` can't hold is never written, and never made to fit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from lxml import etree

from pv_testing.core.errors import DataError
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.exporters.contents import content, verdict
from pv_testing.exporters.lims_xml import NAMESPACE, write_lims_v2
from pv_testing.exporters.raw import points
from pv_testing.exporters.reading import Dossier

REQUEST = {"id": 1, "sr_number": "SR-1", "status": "TESTING_COMPLETE", "module": {"serial_numbers": ["SN1"]}}
EXECUTION: dict[str, Any] = {
    "execution_id": 5678,
    "protocol_id": "PVTP-001",
    "module_id": "SN1",
    "status": "COMPLETE",
    "completed_at": "2025-11-12T15:30:00+01:00",
    "results": {"qc_status": "PASS", "measurements": {"Pmax": {"value": Decimal("398.50"), "unit": "W"}}},
}


def dossier(**other: Any) -> Dossier:
    execution = {**EXECUTION, **other}
    raw = {str(execution["execution_id"]): tuple(points(execution))}
    return Dossier(read_service_request(REQUEST), (read_execution(execution),), {}, raw)


def lims_v2(source: Dossier) -> bytes:
    with NamedTemporaryFile() as file:
        write_lims_v2(file, source)
        return Path(file.name).read_bytes()


def texts(written: bytes, name: str) -> list[str | None]:
    return [element.text for element in etree.fromstring(written).iter(f"{{{NAMESPACE}}}{name}")]


def test_times_are_utc_and_digits_stay() -> None:
    written = lims_v2(dossier())
    assert texts(written, "CompletedAt") == ["2025-11-12T14:30:00Z"]
    assert texts(written, "Value") == ["398.50"]


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        ("cracked & <burnt>\x00", "Finding", "cracked & <burnt>\ufffd"),
        ("NaN", "Finding", "NaN"),
        (Decimal("1E-7"), "Value", "0.0000001"),
        (Decimal("1E+50"), "Finding", "1E+50"),
        (True, "Finding", "true"),
    ],
)
def test_what_is_no_decimal_is_a_finding(value: Any, name: str, text: str) -> None:
    results = {"qc_status": "PASS", "measurements": {"X": {"value": value, "unit": "W"}}}
    assert texts(lims_v2(dossier(results=results)), name) == [text]


@pytest.mark.parametrize(
    ("broken", "element"), [({"completed_at": ""}, "CompletedAt"), ({"protocol_id": ""}, "Protocol")]
)
def test_what_the_schema_misses_is_said(broken: dict[str, Any], element: str) -> None:
    with pytest.raises(DataError, match=element) as caught:
        lims_v2(dossier(**broken))
    assert (caught.value.code, caught.value.key) == ("XML_INVALID", "SR-1")


def test_a_time_that_is_none_names_the_execution() -> None:
    with pytest.raises(DataError, match=r"5678.*yesterday"):
        lims_v2(dossier(completed_at="yesterday"))


def test_a_module_that_only_an_execution_names_is_there_too() -> None:
    assert texts(lims_v2(dossier(module_id="SN2")), "SerialNumber") == ["SN2", "SN1"]


@pytest.mark.parametrize("word", ["", "probably fine", "pending"])
def test_nothing_that_nobody_explained_becomes_a_pass(word: str) -> None:
    undecided = dossier(results={**EXECUTION["results"], "qc_status": word})
    assert set(texts(lims_v2(undecided), "Status")[1:]) == {"UNDECIDED"}
    assert verdict(undecided.executions[0]).value == "UNDECIDED"
    columns, rows = content("qc_data", undecided)
    (row,) = [dict(zip(columns, values, strict=True)) for values in rows]
    assert (row["qc_status"], row["framework_status"]) == ("UNDECIDED", word)


def test_lists_of_names_are_no_curves() -> None:
    document = {
        "module": {"serial_numbers": ["a", "b"]},
        "curve": {"v": [1, None], "at": ["x", "y"], "units": {"v": "V"}},
        "measurements": [{"timestamp": "t", "parameter": "p", "value": 1}, {"parameter": "q"}, "x"],
    }
    found = [tuple(point) for point in points(document)]
    assert found == [
        ("curve", 1, "v", 1, "V", ""),
        ("curve", 2, "v", None, "V", ""),
        ("time_series", 1, "p", 1, "", "t"),
    ]
