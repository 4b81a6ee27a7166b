"""Cells, CSV and workbooks: digits stay, formulas never come to life, the same table is the same file."""

from __future__ import annotations

import csv as standard
import io
import time
import zipfile
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from pv_testing.core.cells import guarded, is_risky, text_of
from pv_testing.core.errors import ConfigError, DataError
from pv_testing.exporters import tables
from pv_testing.exporters.files import file_name, write_whole
from pv_testing.transports.files import excel_writer

EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "=HYPERLINK(1)", "-", "\uff1d1+1"]
DIGITS = ["398.50", "-0.35", "0.000", "1200", "0.00000012", "123456789012345678", "0.1234567890123456789", "-0.0"]


def sheet_of(content: bytes, name: str = "T"):
    return load_workbook(io.BytesIO(content))[name]


@pytest.mark.parametrize("text", EVIL)
def test_no_text_becomes_a_formula(text: str) -> None:
    frame = tables.table(["a"], [{"a": text}])
    (_, (shown,)) = standard.reader(io.StringIO(tables.csv(frame).decode(), newline=""))
    assert shown == f"'{text}"
    cell = sheet_of(tables.workbook({"T": frame}))["A2"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert cell.value.replace("_x000D_", "\r").replace("\n", "\r") == text


def test_headings_are_guarded_as_well() -> None:
    frame = tables.table(["=1+1"], [])
    assert sheet_of(tables.workbook({"T": frame}))["A1"].data_type == "s"
    assert tables.csv(frame) == b"'=1+1\r\n"


@pytest.mark.parametrize("digits", DIGITS)
def test_a_number_keeps_its_digits(digits: str) -> None:
    frame = tables.table(["a"], [{"a": Decimal(digits)}])
    assert tables.csv(frame).decode().splitlines()[1] == digits
    cell = sheet_of(tables.workbook({"T": frame}))["A2"]
    if cell.data_type == "n":
        assert float(cell.value) == float(digits)
        assert len(cell.number_format.partition(".")[2]) == len(digits.partition(".")[2])
    else:
        assert cell.value == digits
        assert len(digits.replace(".", "").lstrip("0")) > excel_writer.PRECISION


def test_gaps_turn_no_whole_number_into_another() -> None:
    frame = tables.table(["a", "b"], [{"a": 5678}, {"a": None, "b": True}])
    assert tables.csv(frame).decode() == "a,b\r\n5678,\r\n,true\r\n"


def test_text_that_is_no_formula_stays_as_it_is() -> None:
    assert [guarded(text) for text in ("5-3", "a=b", "-0.35", "+1e5", "Ω", "12 °C")] == [
        "5-3",
        "a=b",
        "-0.35",
        "+1e5",
        "Ω",
        "12 °C",
    ]
    assert not is_risky("")
    assert text_of({"min": -3, "max": [5, None]}) == "min: -3; max: 5, "


def test_what_no_file_can_hold_is_shown_as_such() -> None:
    frame = tables.table(["a"], [{"a": "a\x00b\x0bc\ud800"}])
    assert sheet_of(tables.workbook({"T": frame}))["A2"].value == "a\ufffdb\ufffdc\ufffd"
    assert tables.csv(frame).decode().splitlines()[1] == "a\ufffdb\ufffdc\ufffd"


def test_units_are_utf8_and_people_get_the_mark() -> None:
    frame = tables.table(["unit"], [{"unit": "W/m²"}, {"unit": "Ω"}])
    assert tables.csv(frame) == "unit\r\nW/m²\r\nΩ\r\n".encode()
    assert tables.csv(frame, for_people=True) == "\ufeffunit\r\nW/m²\r\nΩ\r\n".encode()


def test_the_same_table_is_the_same_workbook_at_any_time(monkeypatch) -> None:
    frame = tables.table(["a"], [{"a": Decimal("1.50")}, {"a": "x"}])
    first = tables.workbook({"T": frame})
    later = time.localtime(time.time() + 86_400)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    assert tables.workbook({"T": frame}) == first
    core = zipfile.ZipFile(io.BytesIO(first)).read("docProps/core.xml").decode()
    assert core.count("1980-01-01T00:00:00Z") == 2


def test_a_sheet_can_be_read_at_a_glance() -> None:
    frame = tables.table(["parameter", "value"], [{"parameter": "x" * 200, "value": 1}])
    sheet = sheet_of(tables.workbook({"T": frame}))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B2"
    assert sheet["A1"].font.bold
    assert sheet.column_dimensions["A"].width == excel_writer.WIDEST
    assert sheet.column_dimensions["B"].width == excel_writer.NARROWEST


@pytest.mark.parametrize("names", [["a/b"], ["x" * 32], [""], ["a", "A"], []])
def test_a_name_that_no_sheet_can_have_is_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        tables.workbook({name: tables.table(["a"], []) for name in names})
    assert caught.value.code == "SHEET_UNUSABLE"


def test_what_excel_would_cut_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        tables.workbook({"T": tables.table(["a"], [{"a": "x" * 32_768}])})
    assert caught.value.code == "TOO_LONG"


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path) -> None:
    target = tmp_path / "new" / "a.csv"
    write_whole(target, b"one")
    assert write_whole(target, b"two").read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="can't be written") as caught:
        write_whole(tmp_path / "folder", b"x")
    assert caught.value.code == "FILE_UNWRITABLE"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="can't be written"):
        write_whole(tmp_path / "file" / "x.csv", b"x")


def test_two_numbers_never_get_one_name() -> None:
    assert file_name("SR-2025-0123") == "SR-2025-0123"
    assert file_name("../../etc/passwd").startswith("_.._etc_passwd-")
    assert len({file_name(text) for text in ("a/b", "a_b", "a\\b")}) == 3
