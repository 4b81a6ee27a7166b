"""A watched folder: each row has an outcome, and what is wrong is in a file to correct and drop again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import ConfigError, ExchangeIncomplete
from pv_testing.core.places import contract_path
from pv_testing.core.sync import run
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.report import Report
from pv_testing.importers import FileImporter
from pv_testing.importers import folders as folders_of
from pv_testing.importers.importer import Carry
from pv_testing.importers.keeping import KeepRows, imported
from pv_testing.ledger import Ledger
from pv_testing.transports.files.excel_writer import write_workbook
from pv_testing.transports.files.store import LocalStore
from tests import yaml_text
from tests.integration.file_drop import lims, short_contract

MAP = {
    "serial_number": "SAMPLE",
    "parameter": "ANALYTE",
    "value": {"to": "VALUE", "type": "decimal"},
    "qc_status": {"to": "STATUS", "vocabulary": "verdict", "required": False},
    "measured_at": {"to": "AT", "type": "datetime", "required": False},
}
WORDS = {"PASS": "PASS", "FAIL": "FAIL", "CONDITIONAL": "COND", "UNDECIDED": "REVIEW"}
GERMAN = {"type": "csv", "encoding": "cp1252", "delimiter": ";", "decimal": ","}
GOOD = "SAMPLE;ANALYTE;VALUE;STATUS\r\nSN1;Pmax;398,50;PASS\r\nSN2;Pmax;401,0;COND\r\n"


class Watched:
    """A folder of results that a LIMS writes, with a contract and a ledger."""

    def __init__(self, tmp_path: Path, form: Any = GERMAN, **more: Any) -> None:
        self.root = tmp_path / "store"
        self.folder = self.root / "results"
        self.folder.mkdir(parents=True)
        written = yaml_text.read(contract_path("lims_labware"))
        written["maps"]["row"] = MAP
        written["vocabularies"]["verdict"] = WORDS
        settings = {"folder": "results", "pattern": "*", "format": form, "map": "row", "quiet": 0,
                    "key": "{serial_number}/{parameter}", **more}  # fmt: skip
        written["imports"] = {"results": settings}
        self.contract = tmp_path / "lims_watched.yaml"
        self.contract.write_text(yaml_text.dump(written, sort_keys=False), encoding="utf-8")
        self.how = load_contract(self.contract).imports["results"]
        self.ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")

    def drop(self, content: str | bytes, name: str = "a.csv") -> None:
        data = content if isinstance(content, bytes) else content.encode("cp1252")
        (self.folder / name).write_bytes(data)

    def take(self, carry: Carry | None = None) -> list[Any]:
        exchange = Exchange(KeepRows(self.ledger, "lims", "results"), self.ledger, owner="test")
        return run(FileImporter(self.how, LocalStore(self.root), carry or exchange.arun).run())

    def kept(self) -> dict[str, Any]:
        return dict(imported(self.ledger, "lims", "results"))

    def files(self, folder: str) -> list[str]:
        place = self.folder / folder
        return sorted(path.name for path in place.iterdir()) if place.exists() else []


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_rows_are_kept_where_a_step_reads_them_and_the_file_under_its_digest(watched: Watched) -> None:
    watched.drop(GOOD)
    (report,) = watched.take()
    assert report.counts == {"created": 2}
    assert watched.kept() == {
        "SN1/Pmax": {"serial_number": "SN1", "parameter": "Pmax", "value": "398.50", "qc_status": "PASS"},
        "SN2/Pmax": {"serial_number": "SN2", "parameter": "Pmax", "value": "401.0", "qc_status": "CONDITIONAL"},
    }
    assert watched.files("archive") == [f"{hashlib.sha256(GOOD.encode()).hexdigest()}.csv"]
    assert watched.files("claimed") == []
    watched.drop(GOOD.replace("398,50", "398,60"), "again.csv")
    (report,) = watched.take()
    assert report.counts == {"updated": 1, "unchanged": 1}
    assert watched.kept()["SN1/Pmax"]["value"] == "398.60"
    watched.ledger.verify()


def test_what_is_wrong_is_named_by_row_and_column_and_can_be_corrected_and_dropped_again(watched: Watched) -> None:
    watched.drop(
        "SAMPLE;ANALYTE;VALUE;STATUS\r\nSN1;Pmax;398.50;PASS\r\nSN2;Pmax;1,0;WHAT\r\n;Voc;1,0;PASS\r\n"
        "SN4;Pmax;1,0\r\nSN5;=1+1;49,1;PASS\r\n"
    )  # fmt: skip
    (report,) = watched.take()
    assert report.counts == {"quarantined": 4, "created": 1}
    (name,) = watched.files("rejected")
    content = (watched.folder / "rejected" / name).read_text(encoding="cp1252")
    rows = list(csv.DictReader(io.StringIO(content), delimiter=";"))
    problems = [(row["_row"], row["_column"], row["_code"]) for row in rows]
    assert problems == [
        ("2", "VALUE", "NOT_A_NUMBER"),
        ("3", "STATUS", "STATUS_UNKNOWN"),
        ("4", "SAMPLE", "FIELD_MISSING"),
        ("5", "", "ROW_SHAPE"),
    ]
    assert "decimal comma, as declared" in rows[0]["_reason"]
    assert {entry.key for entry in watched.ledger.waiting()} == {"SN1/Pmax", "SN2/Pmax"}
    corrected = content.replace("398.50", "398,50").replace("WHAT", "FAIL").replace(";Voc", "SN3;Voc")
    watched.drop(corrected.replace("\r\n;", "\r\nSN3;").replace("SN4;Pmax;1,0;;", "SN4;Pmax;1,0;PASS;"), "again.csv")
    (report,) = watched.take()
    assert (report.counts["created"], report.rejected) == (4, "")
    assert set(watched.kept()) == {"SN1/Pmax", "SN2/Pmax", "SN3/Voc", "SN4/Pmax", "SN5/=1+1"}
    assert watched.ledger.waiting() == []


@pytest.mark.parametrize("form", ["xlsx", "xml", "json", {"type": "json", "root": "rows"}])
def test_every_format_is_read_and_its_rejected_rows_are_of_the_same(tmp_path: Path, form: Any) -> None:
    watched = Watched(tmp_path, form)
    kind = form if isinstance(form, str) else form["type"]
    rows = [("SN1", "Pmax", 398.5, "PASS"), ("SN2", "Pmax", 401, "WHAT")]
    names = ["SAMPLE", "ANALYTE", "VALUE", "STATUS"]
    if kind == "xlsx":
        file = io.BytesIO()
        write_workbook(file, {"Any": (names, rows)})
        content = file.getvalue()
    elif kind == "xml":
        cells = ["".join(f"<{name}>{row[place]}</{name}>" for place, name in enumerate(names)) for row in rows]
        inner = "".join(f"<Record>{each}</Record>" for each in cells)
        content = f"<?xml version='1.0' encoding='UTF-8'?><Records>{inner}</Records>".encode()
    else:
        listed = [dict(zip(names, row, strict=True)) for row in rows]
        content = json.dumps({"rows": listed} if isinstance(form, dict) else listed).encode()
    watched.drop(content, f"a.{kind}")
    (report,) = watched.take()
    assert report.counts == {"created": 1, "quarantined": 1}
    assert watched.kept()["SN1/Pmax"]["value"] == "398.5"
    (name,) = watched.files("rejected")
    rejected = (watched.folder / "rejected" / name).read_bytes()
    watched.drop(rejected if kind == "xlsx" else rejected.replace(b"WHAT", b"FAIL"), f"b.{kind}")
    (report,) = watched.take()
    assert report.counts == ({"quarantined": 1} if kind == "xlsx" else {"created": 1})


def test_rows_can_be_carried_to_a_system(tmp_path: Path) -> None:
    contract = short_contract(tmp_path)
    written = yaml_text.read(contract)
    written["maps"]["listed"] = {"sr_number": "ORDER", "serial_number": "SERIAL", "customer_name": "CLIENT"}
    settings = {"folder": "lists", "pattern": "*.csv", "format": "csv", "map": "listed", "quiet": 0}
    key = "{sr_number}/{serial_number}"
    written["imports"] = {"listed": {**settings, "key": key, "carry": {"operation": "create_sample"}}}
    contract.write_text(yaml_text.dump(written, sort_keys=False))
    root = tmp_path / "store"
    (root / "lists").mkdir(parents=True)
    (root / "lists" / "a.csv").write_text("ORDER,SERIAL,CLIENT\nSR-9,SN1,Solar AG\nSR-9,SN2,Solar AG\n")
    how = load_contract(contract).imports["listed"]
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger, lims(contract, root, ledger) as client:
        importer = FileImporter(how, LocalStore(root), partial(client.aexchange, how.operation))
        with pytest.raises(ExchangeIncomplete, match="2 rows are deferred"):
            run(importer.run())
        assert [path.name for path in (root / "import").iterdir()] == ["pv-sample-0000000001.csv"]
        assert [folders_of.original(path.name) for path in (root / "lists" / "claimed").iterdir()] == ["a.csv"]


def test_a_file_that_a_killed_run_left_is_taken_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.drop(GOOD)
    folders = folders_of.Folders(LocalStore(watched.root), watched.how)
    assert folders.claim("a.csv")
    assert folders.claim("a.csv") is None
    assert watched.take() == []
    monkeypatch.setattr(folders_of, "LEASE", -5)
    (report,) = watched.take()
    assert (report.name, report.counts) == ("a.csv", {"created": 2})


def test_deferred_files_of_one_name_are_all_kept_and_imported(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def defer(_: Any) -> Report:
        return Report("keep", "lims")

    within_one_second = time.time() + 60
    monkeypatch.setattr(folders_of, "now", lambda: within_one_second)
    contents = [GOOD.replace("SN", f"SN{number}-") for number in range(3)]
    for content in contents:
        watched.drop(content)
        with pytest.raises(ExchangeIncomplete):
            watched.take(defer)
    monkeypatch.setattr(folders_of, "LEASE", -5)
    with pytest.raises(ExchangeIncomplete, match="6 rows"):
        watched.take(defer)
    assert [(report.name, report.counts) for report in watched.take()] == [("a.csv", {"created": 2})] * 3
    assert len(watched.kept()) == 6


def test_a_file_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    watched = Watched(tmp_path, quiet=5)
    watched.drop(GOOD)
    assert watched.take() == []
    os.utime(watched.folder / "a.csv", (time.time() - 9, time.time() - 9))
    assert len(watched.take()) == 1


def test_links_are_no_files_and_the_pattern_counts(tmp_path: Path) -> None:
    watched = Watched(tmp_path, pattern="*.csv")
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD)
    (watched.folder / "link.csv").symlink_to(secret)
    watched.drop(GOOD, "a.txt")
    assert watched.take() == []
    assert secret.read_text() == GOOD.replace("\r\n", "\n") or secret.exists()


def test_a_whole_file_that_is_wrong_is_set_aside_with_its_reason(watched: Watched) -> None:
    watched.drop("SAMPLE,ANALYTE,VALUE\r\nSN1,Pmax,1\r\n")
    (report,) = watched.take()
    assert "has no ANALYTE, SAMPLE, VALUE" in report.refused
    assert "is the delimiter right?" in report.refused
    assert watched.files("rejected") == ["a.csv", "a.csv.reason.json"]
    reason = json.loads((watched.folder / "rejected" / "a.csv.reason.json").read_text())
    assert reason["code"] == "COLUMN_MISSING"


def test_each_file_that_is_wrong_is_kept_though_another_of_its_name_was_set_aside_before(watched: Watched) -> None:
    wrong = [f"SAMPLE,ANALYTE,VALUE\r\nSN{number},Pmax,1\r\n" for number in range(3)]
    reports = []
    for content in wrong:
        watched.drop(content)
        reports += watched.take()
    assert sorted(Path(each.rejected).read_bytes().decode() for each in reports) == wrong
    notes = [json.loads((watched.folder / "rejected" / f"{each.name}.reason.json").read_text()) for each in reports]
    assert [each["file"] for each in notes] == [each.name for each in reports]
    assert len(watched.files("rejected")) == 6


def test_a_claimed_file_that_a_person_puts_back_is_imported(watched: Watched) -> None:
    watched.drop(GOOD, f"{int(time.time() - 2 * folders_of.LEASE)}~a.csv")
    (report,) = watched.take()
    assert report.name == "a.csv"
    assert len(watched.kept()) == 2
    assert watched.files("") == ["archive", "claimed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "{nothing}"}, "no row becomes 'nothing'"),
        ({"map": "nowhere"}, "there is no map 'nowhere'"),
        ({"form": {"type": "xml", "delimiter": ";"}}, "means nothing for xml"),
        ({"form": {"type": "csv", "encoding": "klingon"}}, "is no encoding"),
        ({"carry": {"operation": "nothing"}}, "no operation 'nothing' that carries records"),
    ],
)
def test_a_contract_whose_import_cannot_work_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Watched(tmp_path, **change)
