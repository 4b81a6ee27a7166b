"""The trial of operations by files finds what a test plants in the folder of the system."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pv_testing.cli.main import main
from pv_testing.config import SystemConfig
from pv_testing.testing import TrialFinding, TrialVerdict, try_system
from sandbox.products.labware import files
from sandbox.products.labware.database import Row
from sandbox.products.labware.files import ImportClient
from tests import yaml_text
from tests.products.test_labware_conformance import brisk, configured

CREATE = "operations.create_sample"


@contextmanager
def lims(folder: Path, change: Callable[[Path], None] = lambda _: None, wait: float = 1.0) -> Iterator[SystemConfig]:
    with files.serve(folder, every=0.02) as served:
        contract = brisk("lims_labware", folder, wait)
        change(contract)
        yield configured({**served.section, "contract": str(contract)}, folder)


def failed(findings: Sequence[TrialFinding]) -> dict[str, TrialFinding]:
    return {finding.key: finding for finding in findings if finding.verdict is TrialVerdict.FAILS}


def of_samples(path: Path) -> None:
    """Keep the operations of samples alone, so that a trial is short."""
    written = yaml_text.read(path)
    for name in ("upload_results", "update_sample_status", "get_results"):
        del written["operations"][name]
    path.write_text(yaml_text.dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")


def test_a_word_that_the_contract_does_not_know_is_a_failure(tmp_path: Path) -> None:
    def other_words(path: Path) -> None:
        path.write_text(path.read_text(encoding="utf-8").replace("- IMPORTED", "- DONE"), encoding="utf-8")

    with lims(tmp_path, other_words) as system:
        found = failed(try_system(system, patience=1.0))
    assert "ANSWER_UNKNOWN" in found[CREATE].message
    (evidence,) = found[CREATE].evidence
    assert evidence.request.startswith("file import/pv-sample-0000000001.csv PROJECT,TEXT_ID")
    assert "IMPORTED" in evidence.answer


def test_an_answer_that_never_comes_is_a_failure_and_nothing_is_sent_in_its_place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ImportClient, "look", lambda _: 0)
    with lims(tmp_path, wait=0.1) as system:
        found = failed(try_system(system, patience=0.5))
    assert "ANSWER_AWAITED" in found[CREATE].message
    assert [path.name for path in (tmp_path / "exchange" / "import").glob("pv-sample-*")] == [
        "pv-sample-0000000001.csv"
    ]


def test_a_record_that_is_imported_twice_is_a_failure(tmp_path: Path, monkeypatch) -> None:
    imported = ImportClient._import

    def twice(self: ImportClient, link: sqlite3.Connection, name: str, rows: Sequence[Row]) -> list[Row]:
        imported(self, link, name, rows)
        return imported(self, link, name, rows)

    monkeypatch.setattr(ImportClient, "_import", twice)
    with lims(tmp_path, of_samples) as system:
        found = failed(try_system(system, patience=1.0))
    assert "2 times" in found["operations.get_samples.list"].message


def test_the_command_names_the_folder_and_every_kind_holds(tmp_path: Path, capsys) -> None:
    with lims(tmp_path, of_samples) as system:
        arguments = ["--config", str(tmp_path / "integrations.yaml"), "--patience", "5"]
        assert main(["check", *arguments, "--try", "lims"]) == 0
    printed = capsys.readouterr().out
    assert f"writes marked records into {system.options['file_store']}" in printed
    assert "withheld; it was looked up and is there once" in printed
    assert "skipped limits.horizon: isn't needed" in printed
