"""The writers agree with the slow way, one cell at a time, whatever the columns hold."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from openpyxl import load_workbook

from pv_testing.contracts.files import FileFormat
from pv_testing.core.cells import guarded, text_of
from pv_testing.core.errors import DataError
from pv_testing.transports.files.csv_writer import write_csv
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.json_writer import write_list
from pv_testing.transports.files.xml_writer import markup

TRAPS = ["", "=1", "-0.35", "'=1", 'a"b', "a,b", "x\r\ny", " pad ", "&<>", "100 %", "%s"]
WORDS = st.one_of(st.text(max_size=8), st.sampled_from(TRAPS))
CELLS = st.one_of(
    st.none(), st.booleans(), WORDS, st.integers(-(10**20), 10**20), st.floats(allow_nan=True),
    st.decimals(allow_nan=True, allow_infinity=True, places=3), st.lists(st.integers(0, 9), max_size=2),
)  # fmt: skip
TABLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), max_size=6))
COLUMNS = st.sampled_from([WORDS, st.integers(-5, 5), st.decimals(-999, 999, places=2), st.floats(-1, 1), CELLS])
UNIFORM = st.tuples(COLUMNS, COLUMNS).flatmap(lambda kinds: st.lists(st.tuples(*kinds), min_size=1, max_size=8))
BOTH = st.one_of(TABLES, UNIFORM)


def names(rows: list[tuple[Any, ...]]) -> list[str]:
    return [f"c{place}" for place in range(len(rows[0]) if rows else 1)]


def written(write: Any, *arguments: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    write(file, *arguments, **options)
    return file.getvalue()


@settings(deadline=None)
@given(BOTH)
def test_csv_is_what_the_standard_library_writes_of_guarded_cells(rows) -> None:
    expected = io.StringIO()
    writer = csv.writer(expected, lineterminator="\r\n")
    writer.writerow(names(rows))
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    assert written(write_csv, names(rows), rows).decode() == expected.getvalue()


@settings(deadline=None)
@given(BOTH)
def test_json_says_of_each_cell_what_it_is(rows) -> None:
    objects = json.loads(written(write_list, names(rows), rows), parse_float=str, parse_int=str)
    assert len(objects) == len(rows)
    for row, found in zip(rows, objects, strict=True):
        for cell, value in zip(row, found.values(), strict=True):
            if isinstance(cell, Decimal) and cell.is_finite():
                assert value == str(cell)
            elif isinstance(cell, str):
                assert value == text_of(cell) or value == cell


@settings(deadline=None, max_examples=40)
@given(BOTH)
def test_excel_shows_each_cell_as_it_is(rows) -> None:
    content = written(write_workbook, {"T": (names(rows), rows)})
    sheet = load_workbook(io.BytesIO(content))["T"]
    for number, row in enumerate(rows, start=2):
        for cell, value in enumerate(row, start=1):
            found = sheet.cell(number, cell)
            if found.data_type == "n" and found.value is not None:
                assert float(found.value) == pytest.approx(float(text_of(value)))
            else:
                assert (found.value or "").replace("\r\n", "\n") == text_of(value).replace("\r\n", "\n")


@settings(deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=6))
def test_xml_says_of_each_cell_what_it_is(cells) -> None:
    for cell, text in zip(cells, markup(cells), strict=True):
        element = etree.fromstring(f'<a b="{text}">{text}</a>'.encode())
        assert (element.text or "", element.get("b")) == (text_of(cell), text_of(cell))


def test_a_decimal_comma_and_another_delimiter_are_written_as_declared() -> None:
    form = FileFormat("csv", encoding="cp1252", delimiter=";", decimal=",")
    assert written(write_csv, ["a", "b"], [(Decimal("398.50"), "1.5;x")], form) == b'a;b\r\n398,50;"1.5;x"\r\n'
    with pytest.raises(DataError, match="can't be written in cp1252"):
        written(write_csv, ["a"], [("Ω",)], form)


def test_what_a_chunk_has_in_common_is_said_of_each_object() -> None:
    rows = [("SR-1", '{"n":', number) for number in range(3)]
    objects = json.loads(written(write_list, ["a", "b", "n"], rows))
    assert objects == [{"a": "SR-1", "b": '{"n":', "n": number} for number in range(3)]
