"""The fragments of docs/how-to/databases.md are a contract, and the tables of the sandbox are written by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pv_testing.integrations as clients
from pv_testing.config import load_config
from pv_testing.contracts.columns import KINDS
from pv_testing.contracts.database import VERBS
from pv_testing.core.records import Result
from pv_testing.core.schema import validator
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from sandbox.lims_database import RESULT, SAMPLE, TEST, LimsDatabase
from tests.docs.pages import PROJECT, blocks, prose

PAGE = PROJECT / "docs" / "how-to" / "databases.md"
SAMPLES = [{"external_id": f"SN{each}", "project_id": "SR-1", "customer": "Helios"} for each in range(3)]


def fragments(configuration: bool) -> list[str]:
    return [each for each in blocks(PAGE, "yaml") if ("# config/integrations.yaml" in each) is configuration]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[LimsDatabase]:
    with LimsDatabase(f"sqlite:///{tmp_path / 'lims.sqlite'}") as opened:
        yield opened


@pytest.fixture
def lims(tmp_path: Path, database: LimsDatabase) -> Iterator[LIMSClient]:
    contract = tmp_path / "lims_ours.yaml"
    contract.write_text("\n".join(each.lstrip() for each in fragments(configuration=False)), encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'lims.sqlite'}"
    with (
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger,
        LIMSClient(url, contract=str(contract), auth_type="none", ledger=ledger) as client,
    ):
        yield client


def test_records_arrive_once_and_are_changed_in_place(lims: LIMSClient, database: LimsDatabase) -> None:
    lims.create_samples(SAMPLES)
    report = lims.create_samples([{**SAMPLES[0], "customer": "Fjord"}, *SAMPLES[1:]])
    assert [outcome.result for outcome in report.outcomes].count(Result.UNCHANGED) == 2
    assert [row["CUSTOMER"] for row in database.rows(SAMPLE)] == ["Fjord", "Helios", "Helios"]
    assert len(lims.list("get_samples", numbered_from=2)) == 2


def test_the_example_reads_what_was_written(
    lims: LIMSClient, database: LimsDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = database.insert(SAMPLE, TEXT_ID="S", PROJECT="P", CUSTOMER="C", STATUS="I")
    database.insert(TEST, SAMPLE_NUMBER=number, EXECUTION="E", REVISION=1, STATUS="C")
    database.insert(RESULT, TEST_NUMBER=1, NAME="Pmax", FORMATTED_RESULT="402.5")
    monkeypatch.setattr(clients, "LIMSClient", lambda: lims)
    (example,) = blocks(PAGE, "python")
    exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == "Pmax 402.5\n"
    exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == ""


def test_the_configurations_can_be_read(tmp_path: Path) -> None:
    for number, block in enumerate(fragments(configuration=True)):
        file = tmp_path / f"{number}.yaml"
        file.write_text("\n".join(line.removeprefix("   ") for line in block.split("\n")), encoding="utf-8")
        lims = load_config(file, {"LIMS_USER": "u", "LIMS_PASSWORD": "p"}).systems["lims"]
        assert lims.base_url.startswith("postgresql://")


def test_every_key_and_type_is_described() -> None:
    page = prose(PAGE)
    schema = validator("contract").schema
    keys = {*schema["properties"]["sql"]["properties"], *schema["$defs"]["sql"]["properties"], *KINDS, *VERBS}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
