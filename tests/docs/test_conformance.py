"""What docs/how-to/conformance.md prints is what the commands print, and its contract and records can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sandbox
from pv_testing.cli.main import main
from pv_testing.cli.trying import read_given
from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.testing import CHECKS, TrialVerdict, try_system
from pv_testing.testing.examples import EXAMPLES
from tests import yaml_text
from tests.conformance import faulty_lims
from tests.docs.pages import PROJECT, blocks, text
from tests.shipped import variables

PAGE = PROJECT / "docs" / "how-to" / "conformance.md"


def printed(first: str) -> list[str]:
    """Return the lines of the page's output block that begins with some text."""
    (block,) = re.findall(rf"^```\n({re.escape(first)}.*?)^```$", text(PAGE), re.DOTALL | re.MULTILINE)
    return str(block).splitlines()


def alike(line: str) -> str:
    """Return a line without what differs from trial to trial."""
    line = re.sub(r"PVTRY-[0-9A-F]{8}", "PVTRY-", line)
    line = re.sub(r"took \d\.\d\d s", "took some s", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", line)
    return re.sub(r"\b\d{1,10}(\d{3})( became| as| was)", r"\1\2", line)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with sandbox.serve() as lab:
        for name, value in variables(lab).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        monkeypatch.setenv("PV_CONFIG", str(PROJECT / "config" / "integrations.yaml"))
        yield lab


def test_the_output_of_a_trial_is_that_of_the_page(configured, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--try", "lims"]) == 0
    output = capsys.readouterr().out
    output = output[output.index("trying ") :]
    assert [alike(line) for line in output.splitlines()] == [alike(line) for line in printed("trying ")]


def test_a_failure_looks_as_on_the_page(tmp_path: Path) -> None:
    with faulty_lims.serve("listing without key") as lims:
        config = system_config("lims", lims.url, contract=str(faulty_lims.contract(tmp_path)), api_key=faulty_lims.KEY)
        (finding, *_) = [each for each in try_system(config, patience=0.5) if each.verdict is TrialVerdict.FAILS]
    head, request, answer = printed("FAILED")
    lines = str(finding).splitlines()
    assert lines[0] == head
    assert alike(request.replace("/api/v2", "/api").replace("page=1", "page=3")) == alike(lines[1])
    assert lines[2].startswith(answer[: answer.index("[")])


def test_what_is_shown_is_that_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "update_sample_status", "--system", "lims", "--contract", "lims_custom"]) == 0
    output = capsys.readouterr().out.replace(f"{PROJECT}/", "")
    assert output.splitlines() == printed("include/mappings/lims_custom.yaml: ")


def test_the_files_of_a_new_contract_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folders = ["--contracts", str(tmp_path / "include/mappings"), "--tests", str(tmp_path / "tests/contract")]
    assert main(["new-contract", "--system", "lims", "--provider", "SunLab", *folders]) == 0
    assert capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines() == printed("made ")


def test_the_records_of_the_page_can_be_given_and_its_deletion_be_added(tmp_path: Path) -> None:
    *given, operations = blocks(PAGE, "yaml")
    path = tmp_path / "records.yaml"
    for records in given:
        path.write_text(records, encoding="utf-8")
        assert set(read_given(str(path))) <= set(EXAMPLES)
    added = yaml_text.load(operations)["operations"]
    contract = faulty_lims.contract(tmp_path, lambda content: content["operations"].update(added))
    assert "delete_sample" in load_contract(contract).operations


def test_every_check_is_described() -> None:
    assert [check for check in CHECKS if f"| `{check}` |" not in text(PAGE)] == []
