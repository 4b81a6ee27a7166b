"""Runs the integration guide's samples of file-based integration against the sandbox, typed as printed but for paths.

The files are read back with other means than they were written with.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from lxml import etree
from openpyxl import load_workbook

import sandbox
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.exporters import DataExporter
from pv_testing.integrations import FrameworkClient
from sandbox.seed import seed

PRINTED = (Path(__file__).parent / "file_samples.txt").read_text(encoding="utf-8")
SCHEMA = Path(__file__).parents[2] / "include" / "schemas" / "lims_v2.xsd"
NAME = "SR-2025-0123_results"
IN = {"l": "urn:pv-testing:lims:2"}
CONFIGURATION = """
framework:
  enabled: true
  provider: "PV Testing Protocol Framework"
  contract: framework
  base_url: "{url}"
  auth_type: jwt
  username: "{username}"
  password: "{password}"
"""
CURVE = '"iv_curve_data": {"voltage": [0, 45.10, 49.200], "current": [10.24, 8.95, 0], "points": 3}, "measurements"'


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Give a laboratory with the guide's service request 123, one value of which ends in zeros."""
    data = tmp_path_factory.mktemp("lab")
    database = sandbox.Settings(data).database(sandbox.FRAMEWORK)
    seed(database, sandbox.SeedPlan(modules=2, protocols=3, state="complete", failures=0.2))
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE service_requests SET id = 123, sr_number = 'SR-2025-0123'")
        connection.execute("UPDATE executions SET sr_id = 123")
        row = connection.execute("SELECT execution_id, results FROM executions ORDER BY execution_id").fetchone()
        execution_id, results = row
        assert '"Pmax":' in results.replace(" ", "")
        changed = json.loads(results)
        changed["measurements"]["Pmax"] = {"value": "PMAX", "unit": "W", "uncertainty": "PMAX_U"}
        changed["measurements"]["Finding"] = {"value": "=HYPERLINK(1)", "unit": "W/m² Ω"}
        text = json.dumps(changed).replace('"PMAX"', "398.500").replace('"PMAX_U"', "1.20")
        text = text.replace('"measurements"', CURVE, 1)
        connection.execute("UPDATE executions SET results = ? WHERE execution_id = ?", (text, execution_id))
        connection.execute(
            "UPDATE executions SET status = 'RUNNING' WHERE execution_id = (SELECT max(execution_id) FROM executions)"
        )
    connection.close()
    with sandbox.serve(data) as served:
        yield served


@pytest.fixture
def configured(lab, tmp_path, monkeypatch):
    path = tmp_path / "integrations.yaml"
    known = lab.credentials
    text = CONFIGURATION.format(
        url=lab.framework_url, username=known.framework_username, password=known.framework_password
    )
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(path))


def run_samples(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    exec(compile(PRINTED.replace("/exports", str(folder)), "integration guide", "exec"), {})
    return {path.name: path for path in folder.iterdir()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def files(configured, tmp_path):
    return run_samples(tmp_path / "exports")


def test_every_file_of_the_samples_is_there_and_nothing_else(files):
    assert set(files) == {f"{NAME}.csv", f"{NAME}_raw.csv", f"{NAME}.xlsx", f"{NAME}.xml"}


def test_csv_has_every_measurement_with_its_digits(files, lab):
    measured = rows(files[f"{NAME}.csv"])
    pmax = measured[0]
    assert (pmax["sr_number"], pmax["parameter"], pmax["value"], pmax["uncertainty"], pmax["unit"]) == (
        "SR-2025-0123",
        "Pmax",
        "398.500",
        "1.20",
        "W",
    )
    (finding,) = [row for row in measured if row["parameter"] == "Finding"]
    assert (finding["value"], finding["unit"]) == ("'=HYPERLINK(1)", "W/m² Ω")
    assert len({row["execution_id"] for row in measured}) == 5
    assert {row["qc_status"] for row in measured} <= {"PASS", "FAIL"}
    assert all(row["operator"] and row["completed_at"].endswith("Z") and row["protocol_name"] for row in measured)


def test_raw_data_are_the_points_of_the_curve_and_the_time_series(files):
    points = rows(files[f"{NAME}_raw.csv"])
    first = [p for p in points if p["execution_id"] == points[0]["execution_id"]]
    curve = [(p["number"], p["quantity"], p["value"]) for p in first if p["series"] == "iv_curve_data"]
    assert curve == [
        ("1", "voltage", "0"),
        ("1", "current", "10.24"),
        ("2", "voltage", "45.10"),
        ("2", "current", "8.95"),
        ("3", "voltage", "49.200"),
        ("3", "current", "0"),
    ]
    series = [p for p in points if p["series"] == "time_series"]
    assert series[0]["quantity"] == "Pmax"
    assert series[0]["value"] == "398.5"
    assert all(p["timestamp"] and p["unit"] for p in series)


def test_the_workbook_has_the_guide_s_sheets_and_live_numbers(files):
    book = load_workbook(files[f"{NAME}.xlsx"])
    assert book.sheetnames == ["Summary", "Measurements", "QC Results"]
    facts = dict(book["Summary"].iter_rows(min_row=2, values_only=True))
    assert (facts["service request"], facts["executions begun"], facts["executions complete"]) == ("SR-2025-0123", 6, 5)
    assert facts["verdict PASS"] + facts["verdict FAIL"] == 5
    sheet = book["Measurements"]
    value = next(cell for cell in sheet[2] if sheet.cell(1, cell.column).value == "value")
    assert (value.value, value.number_format) == (398.5, "0.000")
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    assert "expected" in [cell.value for cell in book["QC Results"][1]]


def test_xml_is_valid_and_says_the_same(files):
    root = etree.parse(files[f"{NAME}.xml"])
    etree.XMLSchema(etree.parse(SCHEMA)).assertValid(root)
    assert root.findtext("l:Number", namespaces=IN) == "SR-2025-0123"
    assert len(root.findall("l:Sample", IN)) == 2
    assert len(root.findall("l:Sample/l:Test", IN)) == 5
    values = {
        result.findtext("l:Analyte", namespaces=IN): (
            result.findtext("l:Value", namespaces=IN),
            result.findtext("l:Finding", namespaces=IN),
        )
        for result in root.findall("l:Sample[1]/l:Test[1]/l:Result", IN)
    }
    assert values["Pmax"] == ("398.500", None)
    assert values["Finding"] == (None, "=HYPERLINK(1)")
    assert root.find(".//l:Series", IN) is None


def test_the_same_tests_are_the_same_files(files, tmp_path):
    again = run_samples(tmp_path / "again")
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in files.items()
    }


def test_the_number_does_as_well_as_the_id_and_names_the_file(configured, tmp_path):
    exporter = DataExporter()
    path = exporter.export_xml("SR-2025-0123", tmp_path, include_raw_data=True)
    assert path == tmp_path / f"{NAME}.xml"
    root = etree.parse(path)
    test = root.find(".//l:Test", IN)
    assert len(test.findall("l:Series[@name='iv_curve_data']/l:Point", IN)) == 6
    etree.XMLSchema(etree.parse(SCHEMA)).assertValid(root)
    assert exporter.export_csv("123", tmp_path).name == f"{NAME}.csv"
    assert not (tmp_path / f"{NAME}_raw.csv").exists()


def test_every_table_can_be_a_sheet(configured, tmp_path):
    sheets = {"Executions": "execution_data", "Raw": "raw_data"}
    book = load_workbook(DataExporter().export_excel(123, tmp_path / "a.xlsx", sheets))
    statuses = [row[5] for row in book["Executions"].iter_rows(min_row=2, values_only=True)]
    assert sorted(statuses) == ["COMPLETE"] * 5 + ["RUNNING"]
    assert book["Raw"].max_row > 6


@pytest.mark.parametrize("wanted", [999, "SR-2025-9999", "../123"])
def test_an_unknown_request_is_said_to_be_one(configured, tmp_path, wanted):
    with pytest.raises(DataError) as caught:
        DataExporter().export_csv(wanted, tmp_path)
    assert caught.value.code == "SR_UNKNOWN"
    assert not list(tmp_path.glob("*.csv"))


def test_what_does_not_exist_is_refused_before_anything_is_written(lab, tmp_path):
    known = lab.credentials
    with FrameworkClient(
        lab.framework_url, username=known.framework_username, password=known.framework_password
    ) as framework:
        exporter = DataExporter(framework)
        with pytest.raises(ConfigError, match="did you mean 'qc_data'"):
            exporter.export_excel(123, tmp_path / "a.xlsx", {"QC": "qc_dat"})
        with pytest.raises(ConfigError, match="lims_v2"):
            exporter.export_xml(123, tmp_path / "a.xml", schema="lims_v3")
    assert list(tmp_path.iterdir()) == []
