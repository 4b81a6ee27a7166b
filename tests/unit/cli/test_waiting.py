"""What waits for a person, as a table to hand around."""

from __future__ import annotations

import csv
import io

import pytest
from openpyxl import load_workbook

from pv_testing.cli.main import main
from pv_testing.ledger import Ledger, Refusal


@pytest.fixture
def url(tmp_path) -> str:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    refusals = [
        Refusal("SR-1/SN1", "raw", "UNIT_MISSING", "=cmd() Pmax has no unit; password: canary-1234"),
        Refusal("=SR-2/SN1", "raw", "SERIAL_MISSING", "a module has no serial number"),
    ]
    with Ledger(url) as ledger:
        ledger.quarantine("lims", "sample", refusals, owner="night shift")
        ledger.quarantine("erp", "invoice", refusals[:1], owner="night shift")
    return url


def test_the_table_says_what_the_list_says(url, tmp_path, capsys) -> None:
    file = tmp_path / "out" / "waiting.xlsx"
    assert main(["waiting", "--ledger", url, "--output", str(file)]) == 0
    assert capsys.readouterr().out == f"3 records wait for a person: {file}\n"
    assert main(["waiting", "--ledger", url]) == 0
    listed = capsys.readouterr().out
    sheet = load_workbook(file).active
    heading, *rows = sheet.iter_rows()
    assert [cell.value for cell in heading] == [
        "state",
        "system",
        "kind",
        "key",
        "id",
        "code",
        "reason",
        "since",
        "owner",
    ]
    assert len(rows) == 3
    for row in rows:
        state, system, kind, key, _, code, reason, since, owner = (cell.value for cell in row)
        assert f"{state:<12} {system} {kind} {key}  {reason} [{code}]" in listed
        assert (owner, since[-1]) == ("night shift", "Z")
        assert {cell.data_type for cell in row if cell.value is not None} == {"s"}
    assert b"canary" not in file.read_bytes()
    assert "canary" not in str([[cell.value for cell in row] for row in rows])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:I4"


def test_csv_is_one_system_s_where_that_is_wanted(url, tmp_path) -> None:
    file = tmp_path / "waiting.CSV"
    assert main(["waiting", "--ledger", url, "--output", str(file), "--system", "lims"]) == 0
    content = file.read_bytes()
    assert content.startswith("\ufeffstate,system".encode())
    _, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert [row[3] for row in rows] == ["'=SR-2/SN1", "SR-1/SN1"]
    assert rows[1][6].startswith("'=cmd() Pmax has no unit")
    assert "canary" not in content.decode()


def test_a_table_without_rows_is_one_too(tmp_path, capsys) -> None:
    file = tmp_path / "waiting.csv"
    assert main(["waiting", "--ledger", "sqlite://", "--output", str(file)]) == 0
    assert capsys.readouterr().out == f"nothing waits for a person: {file}\n"
    assert len(file.read_text().splitlines()) == 1


def test_another_ending_is_refused_before_anything_is_read(url, tmp_path, capsys) -> None:
    assert main(["waiting", "--ledger", url, "--output", str(tmp_path / "waiting.pdf")]) == 2
    assert "must end in .csv or .xlsx" in capsys.readouterr().err
    assert not (tmp_path / "waiting.pdf").exists()
