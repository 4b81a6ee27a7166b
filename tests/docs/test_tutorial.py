"""docs/tutorial.md, followed step by step against the LIMS that it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pv_testing.__main__ import main
from sandbox import halley
from tests import yaml_text
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "tutorial.md"
CONFIGURATION, CONTRACT, CORRECTION = blocks(PAGE, "yaml")
VARYING = re.compile(r"PVTRY-[0-9A-F]{8}|took \d+\.\d\d s|127\.0\.0\.1:\d+")


@pytest.fixture
def server() -> Iterator[halley.Halley]:
    with halley.serve() as running:
        yield running


@pytest.fixture
def contract(server: halley.Halley, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Follow the steps 2 and 3; the files lie in a folder of the test's own."""
    path = tmp_path / "lims_halley.yaml"
    path.write_text(CONTRACT, encoding="utf-8")
    configuration = yaml_text.load(CONFIGURATION)
    configuration["lims"].update(base_url=server.url, contract=str(path))
    (tmp_path / "halley.yaml").write_text(yaml_text.dump(configuration), encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "halley.yaml"))
    monkeypatch.setenv("HALLEY_TOKEN", halley.TOKEN)
    return path


def corrected(contract: Path) -> None:
    content = yaml_text.read(contract)
    contract.write_text(yaml_text.dump({**content, **yaml_text.load(CORRECTION)}, sort_keys=False), encoding="utf-8")


def printed(beginning: str) -> list[str]:
    """Return the lines of the page's output that begin so, without what differs from trial to trial."""
    return [VARYING.sub("…", line) for line in text(PAGE).splitlines() if line.startswith(beginning)]


def test_the_first_contract_passes_the_check_and_fails_the_trial_as_the_page_says(
    contract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--try", "lims"]) == 1
    shown = [VARYING.sub("…", line) for line in capsys.readouterr().out.splitlines()]
    assert set(printed("ok      system")) <= set(shown)
    assert printed("FAILED") == [line for line in shown if line.startswith("FAILED")]


def test_the_corrected_contract_holds_as_the_page_says(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corrected(contract)
    assert main(["check", "--try", "lims"]) == 0
    shown = [VARYING.sub("…", line) for line in capsys.readouterr().out.splitlines()]
    promised = printed("ok      operations") + printed("ok      limits")
    assert promised
    assert set(promised) <= set(shown)


def test_the_programs_of_the_page_leave_one_specimen_and_show_the_refusal(
    contract: Path, server: halley.Halley, capsys: pytest.CaptureFixture[str]
) -> None:
    corrected(contract)
    for _ in range(2):
        for program in blocks(PAGE, "python"):
            code = compile(program.replace('"lims_halley"', repr(str(contract))), str(PAGE), "exec")
            exec(code, {"HALLEY_URL": server.url})
    assert [specimen["code"] for specimen in server.specimens] == ["SN001"]
    assert "MISSING" in capsys.readouterr().out


def test_what_is_shown_is_the_request_of_the_manual(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "create_sample", "--system", "lims", "--contract", str(contract)]) == 0
    assert "/specimens" in capsys.readouterr().out
