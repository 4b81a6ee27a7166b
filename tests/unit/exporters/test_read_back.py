"""What is exported is read back by the programs that users have: pandas, openpyxl, lxml, LibreOffice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from openpyxl import load_workbook

from pv_testing.contracts.files import FileFormat
from pv_testing.core.errors import DataError
from pv_testing.domain.reading import read_execution, read_service_request
from pv_testing.exporters import chart_data, exporter
from pv_testing.exporters.chart_data import curves, stresses
from pv_testing.exporters.charts import below, drawing
from pv_testing.exporters.contents import content
from pv_testing.exporters.exporter import DataExporter
from pv_testing.exporters.lims_xml import ELEMENTS
from pv_testing.exporters.raw import points
from pv_testing.exporters.reading import Dossier
from pv_testing.exporters.tables import Table
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.rows import read_rows

Office = Callable[[Path, str], Path]
REQUEST = {"id": 1, "sr_number": "SR-1", "status": "TESTING_COMPLETE", "module": {"serial_numbers": ["SN1", "SN2"]}}


def execution(number: int, measured: dict[str, Any], **more: Any) -> dict[str, Any]:
    results = {"qc_status": "PASS", "measurements": measured, **more.pop("results", {})}
    return {
        "execution_id": number, "protocol_id": "PVTP-001", "module_id": f"SN{number % 2 + 1}", "status": "COMPLETE",
        "completed_at": "2025-11-12T15:30:00+01:00", "results": results, **more,
    }  # fmt: skip


def stress(number: int, before: str, after: str, loss: str) -> dict[str, Any]:
    measured = {
        "Pmax_Initial": {"value": Decimal(before), "unit": "W"},
        "Pmax_Final": {"value": Decimal(after), "unit": "W"},
        "Power_Degradation": {"value": Decimal(loss), "unit": "%"},
    }
    criterion = {"parameter": "Power_Degradation", "expected": "at most 5 %", "tolerance": "max", "result": "PASS"}
    return execution(number, measured, protocol_id="PVTP-011", results={"pass_fail": {"criteria": [criterion]}})


def iv(number: int) -> dict[str, Any]:
    voltage = [Decimal(step) / 10 for step in range(0, 500, 10)]
    current = [Decimal("10.2") * (1 - (each / 50) ** 12) for each in voltage]
    measured = {"Pmax": {"value": Decimal("398.50"), "unit": "W"}, "Finding": {"value": "=1+1", "unit": ""}}
    return execution(number, measured, iv_curve_data={"voltage": voltage, "current": current})


def dossier(*executions: dict[str, Any]) -> Dossier:
    raw = {str(each["execution_id"]): tuple(points(each)) for each in executions}
    return Dossier(read_service_request(REQUEST), tuple(read_execution(each) for each in executions), {}, raw)


@pytest.fixture
def pandas() -> Any:
    """Import pandas where it is used: each process that collects the tests would spend half a second on it."""
    import pandas as pd

    return pd


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> DataExporter:
    """Give an exporter of a service request with curves and stresses, as the framework would have been read."""
    data = dossier(iv(10), iv(11), stress(20, "400.0", "394.0", "1.5"), stress(21, "401.0", "377.0", "6.0"))

    async def read(*_: Any, **__: Any) -> Dossier:
        return data

    monkeypatch.setattr(exporter, "read", read)
    return DataExporter(framework=object())  # type: ignore[arg-type]


def test_json_is_read_by_the_standard_library_and_by_pandas(whole: DataExporter, tmp_path: Path, pandas: Any) -> None:
    path = whole.export_json(1, tmp_path, include_raw_data=True)
    text = path.read_text(encoding="utf-8")
    document = json.loads(text, parse_float=str)
    assert path.name == "SR-1_results.json"
    assert '"value":398.50,' in text
    assert set(document) == {"summary_data", "measurement_data", "qc_data", "raw_data"}
    frame = pandas.DataFrame(json.loads(text)["raw_data"])
    assert len(frame) == 200
    assert frame["value"].dtype == float


def test_csv_is_read_by_pandas(whole: DataExporter, tmp_path: Path, pandas: Any) -> None:
    path = whole.export_csv(1, tmp_path, include_raw_data=True)
    frame = pandas.read_csv(path, dtype=str)
    assert list(frame["value"][:2]) == ["398.50", "'=1+1"]
    assert len(pandas.read_csv(path.with_name("SR-1_results_raw.csv"))) == 200


def test_a_workbook_is_typed_and_read_by_openpyxl_pandas_and_calamine(
    whole: DataExporter, tmp_path: Path, pandas: Any
) -> None:
    sheets = {"Results": "result_data", "Measurements": "measurement_data", "Curves": "raw_data"}
    path = whole.export_excel(1, tmp_path, sheets, charts=True)
    book = load_workbook(path)
    assert book.sheetnames == ["Charts", "Results", "Measurements", "Curves"]
    results = book["Results"]
    heading = [cell.value for cell in results[1]]
    first = dict(zip(heading, results[2], strict=True))
    assert (first["Pmax [W]"].value, first["Pmax [W]"].number_format) == (398.5, "0.00")
    assert first["completed_at [UTC]"].is_date
    assert str(first["completed_at [UTC]"].value) == "2025-11-12 14:30:00"
    assert (results.freeze_panes, results.auto_filter.ref) == ("A2", results.dimensions)
    check_charts(book["Charts"])
    frame = pandas.read_excel(path, sheet_name="Results", engine="openpyxl")
    assert list(frame["Power_Degradation [%]"])[-1] == 6.0
    rows = [row.values for row in read_rows(path.read_bytes(), FileFormat("xlsx", sheet="Curves"), "it")]
    assert (len(rows), rows[1]["series"]) == (200, "iv_curve_data")


def check_charts(sheet: Any) -> None:
    """Hold the charts to what a person reads on them: titles, units, named points, an axis that tells them apart."""
    curves, power, loss = sheet._charts
    assert [text_of(chart.title) for chart in sheet._charts] == [
        "I-V curves",
        "Maximum power before and after each stress",
        "Degradation by module and stress, with its limit",
    ]
    assert [text_of(axis.title) for axis in (curves.x_axis, curves.y_axis)] == ["Voltage [V]", "Current [A]"]
    assert [text_of(chart.y_axis.title) for chart in (power, loss)] == ["Maximum power [W]", "Degradation [%]"]
    names = power.series[0].cat.multiLvlStrRef.f
    shown = [[cell.value for cell in row] for row in sheet[names.partition("!")[2].replace("$", "")]]
    assert shown == [["SN1", "PVTP-011"], ["SN2", "PVTP-011"]]
    assert power.y_axis.scaling.min == 370
    assert [axis.delete for chart in sheet._charts for axis in (chart.x_axis, chart.y_axis)] == [False] * 6


def text_of(title: Any) -> str:
    return "".join(run.t for paragraph in title.tx.rich.p for run in paragraph.r)


@pytest.mark.parametrize(
    ("values", "begin"), [((400, 394), 393.0), ((400, 377, 401), 370.0), ((0.4, 0.1), 0.0), ((5,), 5)]
)
def test_an_axis_begins_at_a_round_number_below_its_points(values: tuple[float, ...], begin: float) -> None:
    assert below(values) == begin


def test_an_export_knows_its_tables_by_names_and_numbers(whole: DataExporter, tmp_path: Path) -> None:
    path = whole.export_csv(1, tmp_path, include_raw_data=True)
    raw, measured = whole.exported
    assert (raw.name, raw.rows, raw.quantities) == ("raw_data", 200, {})
    assert (measured.name, measured.rows, measured.size) == ("measurement_data", 10, path.stat().st_size)
    assert list(measured.quantities) == ["Pmax", "Finding", "Pmax_Initial", "Pmax_Final", "Power_Degradation"]
    assert "398" not in repr(whole.exported)
    whole.export_excel(1, tmp_path, {"Results": "result_data", "Checks": "qc_data"})
    results, checks = whole.exported
    assert (results.rows, results.quantities["Pmax [W]"], results.size) == (4, "Pmax", None)
    assert (checks.name, checks.rows) == ("qc_data", 4)
    whole.export_json(1, tmp_path)
    assert [table.name for table in whole.exported] == ["summary_data", "measurement_data", "qc_data"]
    path = whole.export_xml(1, tmp_path)
    (xml,) = whole.exported
    assert (xml.name, xml.rows, xml.size) == ("lims_v2", 10, path.stat().st_size)


def test_the_paths_of_elements_are_those_of_the_file(whole: DataExporter, tmp_path: Path) -> None:
    document = etree.parse(whole.export_xml(1, tmp_path, include_raw_data=True))
    leaves = [each for each in document.iter("{*}*") if not len(each)]
    paths = {re.sub(r"/?\{[^}]*\}", ".", document.getelementpath(leaf)).strip(".") for leaf in leaves}
    paths = {re.sub(r"\[[0-9]+\]", "", path) for path in paths}
    assert paths
    assert paths <= set(ELEMENTS)


def test_paper_has_all_columns_beside_each_other(whole: DataExporter, tmp_path: Path) -> None:
    for sheet in load_workbook(whole.export_excel(1, tmp_path, charts=True)).worksheets[1:]:
        assert sheet.page_setup.orientation == "landscape"
        assert (sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight) == (True, 0)
        assert sheet.print_title_rows == "$1:$1"
        assert sheet["A1"].font.name == sheet["A2"].font.name


def test_xml_is_read_by_lxml_against_its_schema(whole: DataExporter, tmp_path: Path) -> None:
    path = whole.export_xml(1, tmp_path, include_raw_data=True)
    schema = etree.XMLSchema(etree.parse(Path(__file__).parents[3] / "include" / "schemas" / "lims_v2.xsd"))
    document = etree.parse(path)
    schema.assertValid(document)
    assert len(document.findall(".//{*}Point")) == 200


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Give LibreOffice's conversion of a file into another format."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("no LibreOffice on this machine; install libreoffice-calc to have workbooks read by it")

    def convert(path: Path, form: str) -> Path:
        home = f"-env:UserInstallation=file://{tmp_path / 'office'}"
        command = [program, home, "--headless", "--convert-to", form, "--outdir", str(tmp_path), str(path)]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        return path.with_suffix(f".{form.partition(':')[0]}")

    return convert


def test_libreoffice_reads_workbooks(whole: DataExporter, tmp_path: Path, office: Office, pandas: Any) -> None:
    path = whole.export_excel(1, tmp_path, {"Measurements": "measurement_data"})
    read = pandas.read_csv(office(path, "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"), dtype=str)
    assert list(read["value"][:2]) == ["398.50", "=1+1"]


def test_libreoffice_prints_a_workbook_with_charts(whole: DataExporter, tmp_path: Path, office: Office) -> None:
    content = office(whole.export_excel(1, tmp_path, charts=True), "pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 4  # the charts and three tables, a page each


def test_what_fails_in_the_middle_leaves_the_earlier_file(whole: DataExporter, tmp_path: Path, monkeypatch) -> None:
    path = whole.export_csv(1, tmp_path)
    before = path.read_bytes()

    def broken(*_: Any) -> Any:
        columns, rows = content("measurement_data", dossier(iv(1)))
        return Table(columns, (row if place == 0 else 1 / 0 for place, row in enumerate(rows)))

    monkeypatch.setattr(exporter, "content", broken)
    with pytest.raises(ZeroDivisionError):
        whole.export_csv(1, tmp_path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_limit_is_the_criterion_s_own_and_none_is_invented() -> None:
    with_limit, without = stress(1, "400", "390", "2.5"), stress(2, "400", "390", "2.5")
    del without["results"]["pass_fail"]
    limits = {each.module: each.limit for each in stresses(dossier(with_limit, without))}
    assert limits == {"SN2": Decimal(5), "SN1": None}
    assert curves(dossier(with_limit)) == []
    assert drawing([], []) is None


def test_long_curves_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_data, "MOST_POINTS", 10)
    (curve,) = curves(dossier(iv(1)))
    assert len(curve.points) == 10


def test_more_rows_than_excel_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pv_testing.transports.files.excel_writer.MOST_ROWS", 5)
    with pytest.raises(DataError, match="use CSV"), (tmp_path / "x").open("wb") as file:
        write_workbook(file, {"T": (["a"], ([number] for number in range(5)))})


def test_a_workbook_says_nothing_wrong_of_how_many_rows_it_has(tmp_path: Path) -> None:
    """The read-only mode of openpyxl believes the size that a sheet says of itself and would stop after the heading."""
    path = tmp_path / "curves.xlsx"
    with path.open("wb") as file:
        write_workbook(file, {"Curves": (["number", "value"], [(1, Decimal("2.50")), (2, Decimal("2.75"))])})
    found = load_workbook(path, read_only=True)["Curves"].iter_rows(values_only=True)
    assert list(found) == [("number", "value"), (1, 2.5), (2, 2.75)]
