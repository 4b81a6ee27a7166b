"""What docs/products/labware.md tells a laboratory to write is what the contracts take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.config import load_config
from pv_testing.contracts import load_contract
from pv_testing.core.yaml_file import read_yaml
from tests.docs.pages import PROJECT, blocks, text

PAGE = PROJECT / "docs" / "products" / "labware.md"
CONTRACTS = ("lims_labware", "lims_labware_sql", "lims_labware_rest", "lims_labware_soap")


@pytest.mark.parametrize("number", range(len(CONTRACTS)))
def test_check_accepts_each_configuration_of_the_page(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABWARE_USER", "pv")
    monkeypatch.setenv("LABWARE_PASSWORD", "secret-of-the-page")
    path = tmp_path / "integrations.yaml"
    path.write_text(blocks(PAGE, "yaml")[number].lstrip(), encoding="utf-8")
    config = load_config(path).systems["lims"].ready()
    assert config.contract == CONTRACTS[number]
    assert load_contract(config.contract, config.mappings).provider == "LabWare"
    assert main(["check", "--offline", "--config", str(path)]) == 0
    assert "secret-of-the-page" not in capsys.readouterr().out


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_letter_is_described_with_its_default(name: str) -> None:
    names = read_yaml(load_contract_file(name)).value["names"]
    for ours, letter in names.items():
        assert f"`{ours}`" in text(PAGE) or f"{ours}:" in text(PAGE)
        assert f"`{letter}`" in text(PAGE) or f": {letter}" in text(PAGE)


def load_contract_file(name: str) -> Path:
    return Path(load_contract(name).file)


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_column_is_described(name: str) -> None:
    maps = load_contract(name).maps
    columns = {"sample": maps["sample"], "measurement": maps["measurement"], "status": maps["status"]}
    for fields in columns.values():
        assert [each for each in fields.mapping.values() if isinstance(each, str) and each not in text(PAGE)] == []
