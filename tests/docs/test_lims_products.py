"""What the pages of STARLIMS and LabVantage tell a laboratory to write is what the code and the contracts take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pv_testing.cli.main import main
from pv_testing.config import load_config
from pv_testing.config.options import OF_AUTH, chosen
from pv_testing.contracts import load_contract
from pv_testing.providers.labvantage import LabVantageProvider
from pv_testing.providers.registry import provider_of
from tests.docs.pages import PROJECT, blocks, prose, text

PRODUCTS = PROJECT / "docs" / "products"
STARLIMS, LABVANTAGE = PRODUCTS / "starlims.md", PRODUCTS / "labvantage.md"
SECRETS = ("STARLIMS_ACCESS_KEY", "STARLIMS_SECRET", "LABVANTAGE_TOKEN")
CODE = re.compile(r'code="([A-Z_]+)"')


@pytest.fixture(params=[STARLIMS, LABVANTAGE], ids=lambda page: page.stem)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def file(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a file with the configuration of the page."""
    for name in SECRETS:
        monkeypatch.setenv(name, f"{name}-0815")
    (block,) = blocks(page, "yaml")
    path = tmp_path / "integrations.yaml"
    path.write_text(block.lstrip(), encoding="utf-8")
    return path


def test_the_configuration_of_the_page_is_accepted(page: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lims = load_config(file).systems["lims"].ready()
    contract = load_contract(lims.contract, lims.mappings)
    assert contract.name == f"lims_{page.stem}"
    assert lims.options.items() <= chosen(lims, provider_of(contract, lims).known_options).items()
    main(["check", "--offline", "--config", str(file)])
    printed = capsys.readouterr()
    assert "0815" not in printed.out + printed.err
    assert not [line for line in printed.out.splitlines() if line.startswith("FAILED") and "lims" in line]


def test_every_option_is_described() -> None:
    assert [name for name in OF_AUTH["starlims"] if f"`options: {name}`" not in prose(STARLIMS)] == []
    named = re.findall(r"`(\w+)`", prose(LABVANTAGE))
    assert LabVantageProvider.known_options.keys() <= set(named)
    assert load_contract("lims_labvantage").names.keys() <= set(named)


def test_every_route_is_on_the_page() -> None:
    contract = load_contract("lims_starlims")
    calls = [spec.call for spec in contract.operations.values()]
    calls += [spec.find.call for spec in contract.operations.values() if spec.find is not None]
    routes = {f"{call.method} {re.sub('{.*}', 'ID', call.path.text).strip('/')}" for call in calls}
    assert {route for route in routes if f"`{route}" not in prose(STARLIMS)} == set()


def test_every_action_and_every_code_is_on_the_page() -> None:
    contract = load_contract("lims_labvantage")
    actions = {
        spec.call.path.text.rpartition("/")[2]
        for spec in contract.operations.values()
        if "actions" in spec.call.path.text
    }
    replaceable = {contract.names["receive_action"], contract.names["release_action"]}
    assert {action for action in actions - replaceable if f"`{action}`" not in prose(LABVANTAGE)} == set()
    folder = PROJECT / "plugins" / "pv_testing" / "providers" / "labvantage"
    codes = {code for path in folder.glob("*.py") for code in CODE.findall(text(path))}
    assert codes
    assert {code for code in codes if f"| `{code}` |" not in prose(LABVANTAGE)} == set()
