"""Operations by files: in effect when the answer says so; never a second file while one is open."""

from __future__ import annotations

import csv
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pv_testing.core.errors import ConfigError
from pv_testing.core.records import Record
from pv_testing.ledger import Ledger
from sandbox.importer import Importer
from tests.integration.dying import Gone
from tests.integration.file_drop import carry, lims, samples, short_contract
from tests.unit.exchange.target import Ending


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    return short_contract(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ending(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@contextmanager
def importing(store: Path, **habits) -> Iterator[Importer]:
    """Import in a thread of its own, as a process of the LIMS would."""
    ended = threading.Event()

    def work() -> None:
        importer = Importer(store, store.parent / "lims.sqlite", **habits)
        while not ended.wait(0.02):
            importer.look()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def imported(store: Path) -> list[str]:
    with sqlite3.connect(store.parent / "lims.sqlite") as base:
        return [row for (row,) in base.execute("SELECT json_extract(record, '$.TEXT_ID') FROM imported ORDER BY id")]


def files(store: Path, folder: str = "import") -> list[str]:
    return sorted(path.name for path in (store / folder).glob("[!.]*")) if (store / folder).exists() else []


def answer(store: Path, stem: str, *rows: tuple[str, str, str, str], ending: str = "\n") -> None:
    lines = ["PROJECT,TEXT_ID,SAMPLE_NUMBER,RESULT", *(",".join(row) for row in rows)]
    (store / "answers").mkdir(exist_ok=True)
    (store / "answers" / f"{stem}.answer.csv").write_text("\n".join(lines) + ending, encoding="utf-8")


def results(report) -> set[str]:
    return {outcome.result.value for outcome in report.outcomes}


def test_records_are_in_effect_when_the_answer_says_so(store, contract, ledger) -> None:
    with importing(store):
        report = carry(contract, store, ledger, samples(10))
        again = carry(contract, store, ledger, samples(10))
    assert report.counts()["created"] == 10
    assert {outcome.external_id for outcome in report.outcomes} == {str(number) for number in range(1, 11)}
    assert again.counts()["unchanged"] == 10
    assert files(store, "archive") == ["pv-sample-0000000001.csv", "pv-sample-0000000002.csv"]
    ledger.verify()


def test_a_changed_record_is_another_file_with_the_next_revision(store, contract, ledger) -> None:
    with importing(store):
        carry(contract, store, ledger, samples(1))
        report = carry(contract, store, ledger, samples(1, customer="Other"))
    assert results(report) == {"updated"}
    with (store / "archive" / "pv-sample-0000000002.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["REVISION"], row["CUSTOMER"]) == ("2", "Other")


def test_what_the_answer_refuses_is_rejected_with_its_reason(store, contract, ledger) -> None:
    with importing(store, refuse="SN001"):
        report = carry(contract, store, ledger, samples(3))
    (refused,) = [outcome for outcome in report.outcomes if outcome.result.value == "rejected"]
    assert (refused.key, refused.reason) == ("SR-1/SN001", "SN001 isn't known here")
    assert report.counts()["created"] == 2


def test_a_refusal_that_only_a_look_up_finds_is_a_refusal_too(store, contract, ledger) -> None:
    assert results(carry(contract, store, ledger, samples(1))) == {"deferred"}
    with importing(store, refuse="SN000"):
        while not files(store, "answers"):
            time.sleep(0.02)
        report = carry(contract, store, ledger, samples(1))
    assert results(report) == {"rejected"}
    assert len(files(store, "archive")) == 1
    ledger.release("lims", "sample", ["SR-1/SN000"], owner="jane")
    with importing(store):
        assert results(carry(contract, store, ledger, samples(1))) == {"created"}


def test_a_missing_answer_is_waited_for_and_seen(store, contract, ledger) -> None:
    (first,) = carry(contract, store, ledger, samples(1)).outcomes
    (second,) = carry(contract, store, ledger, samples(1)).outcomes
    for outcome in (first, second):
        assert (outcome.result.value, outcome.code) == ("deferred", "ANSWER_AWAITED")
        assert "import/pv-sample-0000000001.csv waits to be taken since 20" in outcome.reason
    assert files(store) == ["pv-sample-0000000001.csv"]
    (store / "import" / "pv-sample-0000000001.csv").unlink()
    (third,) = carry(contract, store, ledger, samples(1)).outcomes
    assert "was taken from" in third.reason
    answer(store, "pv-sample-0000000001", ("SR-1", "SN000", "77", "IMPORTED"))
    (fourth,) = carry(contract, store, ledger, samples(1)).outcomes
    assert (fourth.result.value, fourth.external_id) == ("adopted", "77")


def test_after_the_deadline_a_person_decides_and_a_late_answer_still_counts(store, tmp_path, ledger) -> None:
    contract = short_contract(tmp_path, deadline=0.1)
    carry(contract, store, ledger, samples(1))
    time.sleep(0.1)
    (outcome,) = carry(contract, store, ledger, samples(1)).outcomes
    assert (outcome.result.value, outcome.code) == ("quarantined", "LOOKUP_REFUSED")
    assert "no answer speaks of it" in outcome.reason
    answer(store, "pv-sample-0000000001", ("SR-1", "SN000", "77", "IMPORTED"))
    ledger.release("lims", "sample", ["SR-1/SN000"], owner="jane")
    assert results(carry(contract, store, ledger, samples(1))) == {"adopted"}
    assert len(files(store)) == 1


def test_no_second_file_is_dropped_while_the_first_lies_there_whoever_releases_the_record(
    store, tmp_path, ledger
) -> None:
    contract = short_contract(tmp_path, deadline=0.1)
    carry(contract, store, ledger, samples(1))
    time.sleep(0.1)
    carry(contract, store, ledger, samples(1))
    ledger.release("lims", "sample", ["SR-1/SN000"], owner="jane", absent=True)
    (outcome,) = carry(contract, store, ledger, samples(1)).outcomes
    assert (outcome.result.value, outcome.code) == ("rejected", "FILE_OPEN")
    assert files(store) == ["pv-sample-0000000001.csv"]
    (store / "import" / "pv-sample-0000000001.csv").unlink()
    ledger.release("lims", "sample", ["SR-1/SN000"], owner="jane", absent=True)
    carry(contract, store, ledger, samples(1))
    assert files(store) == ["pv-sample-0000000002.csv"]


def test_a_change_waits_until_the_file_of_the_earlier_version_is_answered(store, contract, ledger) -> None:
    carry(contract, store, ledger, samples(1))
    assert results(carry(contract, store, ledger, samples(1, customer="Other"))) == {"deferred"}
    assert files(store) == ["pv-sample-0000000001.csv"]
    with importing(store):
        while not files(store, "answers"):
            time.sleep(0.02)
        report = carry(contract, store, ledger, samples(1, customer="Other"))
    assert results(report) <= {"updated", "created"}
    assert files(store, "archive") == ["pv-sample-0000000001.csv", "pv-sample-0000000002.csv"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("SR-1", "SN000", "1", "MAYBE")], "says 'MAYBE', which the contract doesn't know"),
        ([("SR-1", "SN000", "1", "IMPORTED"), ("SR-1", "SN000", "2", "REFUSED")], "says 'IMPORTED and REFUSED'"),
    ],
)
def test_an_answer_that_nobody_understands_is_a_persons_turn(store, contract, ledger, rows, reason) -> None:
    carry(contract, store, ledger, samples(1))
    answer(store, "pv-sample-0000000001", *rows)
    (outcome,) = carry(contract, store, ledger, samples(1)).outcomes
    assert outcome.result.value == "quarantined"
    assert reason in outcome.reason


def test_an_answer_that_still_grows_is_not_believed(store, tmp_path, ledger) -> None:
    contract = short_contract(tmp_path, answers={"quiet": 0.2})
    carry(contract, store, ledger, samples(1))
    answer(store, "pv-sample-0000000001", ("SR-1", "SN000", "12", "IMPORTED"))
    grown = threading.Timer(0.1, answer, (store, "pv-sample-0000000001", ("SR-1", "SN000", "1234", "IMPORTED")))
    grown.start()
    (outcome,) = carry(contract, store, ledger, samples(1)).outcomes
    grown.join()
    assert outcome.external_id != "12"


def test_answers_of_others_say_nothing(store, contract, ledger) -> None:
    carry(contract, store, ledger, samples(1))
    answer(store, "pv-sample-0000000001", ("SR-1", "SN777", "1", "IMPORTED"))
    assert results(carry(contract, store, ledger, samples(1))) == {"deferred"}


def dropped_by_none(contract, store, ledger, monkeypatch) -> None:
    """Run an attempt whose process is gone between the note in the ledger and the rename."""
    from pv_testing.transports.files.store import LocalStore

    move = LocalStore.move

    def gone(self, folder, name, to_folder, to_name):
        if to_folder == "import":
            raise Gone
        move(self, folder, name, to_folder, to_name)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "move", gone)
        with pytest.raises(Gone):
            carry(contract, store, ledger, samples(1))


def test_a_file_that_was_never_dropped_is_withdrawn_and_made_again(store, contract, ledger, monkeypatch) -> None:
    dropped_by_none(contract, store, ledger, monkeypatch)
    with importing(store):
        report = carry(contract, store, ledger, samples(1))
    assert results(report) == {"created"}
    assert files(store, "archive") == ["pv-sample-0000000002.csv"]
    assert [name.endswith(".withdrawn") for name in files(store, "staging")] == [True]


def test_a_file_that_is_made_again_waits_for_its_answer_as_any_other(store, contract, ledger, monkeypatch) -> None:
    dropped_by_none(contract, store, ledger, monkeypatch)
    (outcome,) = carry(contract, store, ledger, samples(1)).outcomes
    assert (outcome.result.value, outcome.code) == ("deferred", "ANSWER_AWAITED")
    answer(store, "pv-sample-0000000002", ("SR-1", "SN000", "77", "IMPORTED"))
    assert results(carry(contract, store, ledger, samples(1))) == {"adopted"}


def test_a_folder_that_is_gone_is_no_absence(store, contract, ledger) -> None:
    carry(contract, store, ledger, samples(1))
    store.rename(store.with_name("away"))
    report = carry(contract, store, ledger, samples(1))
    assert results(report) == {"deferred"}
    assert report.error is not None
    assert report.error.code == "STORE_UNREACHABLE"
    store.with_name("away").rename(store)
    with importing(store):
        while not files(store, "answers"):
            time.sleep(0.02)
        assert results(carry(contract, store, ledger, samples(1))) == {"adopted"}


def test_each_measurement_is_a_row(store, contract, ledger) -> None:
    measured = [{"parameter": "Pmax", "value": "398.50", "unit": "W", "qc_status": "PASS"},
                {"parameter": "Voc", "value": "49.10", "unit": "V", "qc_status": "FAIL"}]  # fmt: skip
    data = {"execution_id": "E1", "lims_sample_id": "7", "protocol_id": "PVTP-001", "operator_name": "Jane",
            "completed_at": "2025-11-12T10:00:00Z", "measurements": measured}  # fmt: skip
    with importing(store), lims(contract, store, ledger) as client:
        report = client.exchange("upload_results", [Record("E1", data)])
    assert results(report) == {"created"}
    (name,) = files(store, "archive")
    with (store / "archive" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["EXECUTION"], row["NAME"], row["FORMATTED_RESULT"], row["REVISION"]) for row in rows] == [
        ("E1", "Pmax", "398.50", "1"),
        ("E1", "Voc", "49.10", "1"),
    ]


@pytest.mark.parametrize("form", ["xlsx", "xml", "json"])
def test_every_format_is_written(store, tmp_path, ledger, form) -> None:
    contract = short_contract(tmp_path, format=form, name=f"pv-{{sequence}}.{form}", answers={"format": "csv"})
    carry(contract, store, ledger, samples(3))
    from pv_testing.contracts.files import FileFormat
    from pv_testing.transports.files.rows import read_rows

    content = (store / "import" / f"pv-0000000001.{form}").read_bytes()
    rows = [row.values for row in read_rows(content, FileFormat(form), "it")]
    assert [row["TEXT_ID"] for row in rows] == ["SN000", "SN001", "SN002"]
    answer(store, "pv-0000000001", *(("SR-1", f"SN00{number}", "", "imported") for number in range(3)))
    assert results(carry(contract, store, ledger, samples(3))) == {"adopted"}


def test_an_operation_by_files_needs_a_store_and_a_request_an_address(store, contract, ledger) -> None:
    from pv_testing.config import SystemConfig
    from pv_testing.integrations import LIMSClient

    nowhere = SystemConfig(system="lims", base_url="http://127.0.0.1:1", auth_type="none", contract=str(contract))
    with pytest.raises(ConfigError, match="file_store"), LIMSClient(config=nowhere, ledger=ledger) as client:
        client.exchange("create_sample", samples(1))
    with lims(contract, store, ledger) as client:
        assert client.identity().startswith("whoever may use")
