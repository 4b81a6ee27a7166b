"""What the pages of Jira and Asana tell a laboratory to write is what the providers and their contracts take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pv_testing.config import load_config
from pv_testing.config.options import chosen
from pv_testing.contracts import load_contract
from pv_testing.core.places import contract_path
from pv_testing.core.yaml_file import read_yaml
from pv_testing.providers.asana import AsanaProvider
from pv_testing.providers.asana.listings import CRITERIA as OF_ASANA
from pv_testing.providers.jira import JiraProvider
from pv_testing.providers.jira.listings import CRITERIA as OF_JIRA
from pv_testing.providers.rest import RestProvider
from tests.docs.pages import PROJECT, blocks, prose

FOLDER = PROJECT / "docs" / "products"
PROVIDERS: Mapping[str, type[RestProvider]] = {"asana": AsanaProvider, "jira": JiraProvider}
CONTRACTS = [("asana", "pm_asana"), ("jira", "pm_jira"), ("jira", "pm_jira_dc")]


@pytest.mark.parametrize("page", sorted(PROVIDERS))
def test_the_configuration_of_the_page_is_accepted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JIRA_API_TOKEN", "ASANA_TOKEN"):
        monkeypatch.setenv(name, "secret")
    (block,) = blocks(FOLDER / f"{page}.md", "yaml")
    path = tmp_path / "integrations.yaml"
    path.write_text(block.lstrip(), encoding="utf-8")
    config = load_config(path).systems["pm"]
    assert chosen(config, PROVIDERS[page].known_options)["project"]
    assert load_contract(contract_path(config.contract), config.mappings).name == f"pm_{page}"


@pytest.mark.parametrize("page", sorted(PROVIDERS))
def test_every_option_is_described(page: str) -> None:
    text = prose(FOLDER / f"{page}.md")
    assert [name for name in PROVIDERS[page].known_options if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize(("page", "contract"), CONTRACTS)
def test_every_name_is_described_with_its_default(page: str, contract: str) -> None:
    text = " ".join(prose(FOLDER / f"{page}.md").split())
    names = read_yaml(contract_path(contract)).value["names"]
    assert [name for name, default in names.items() if f"`{name}` (`{default}`" not in text] == []


@pytest.mark.parametrize(("page", "criteria"), [("asana", OF_ASANA), ("jira", OF_JIRA)])
def test_every_listing_and_its_criteria_are_described(page: str, criteria: Mapping[str, tuple[str, ...]]) -> None:
    text = prose(FOLDER / f"{page}.md")
    assert [word for name, each in criteria.items() for word in (name, *each) if f"`{word}`" not in text] == []


@pytest.mark.parametrize("page", sorted(PROVIDERS))
def test_a_page_is_short(page: str) -> None:
    assert len((FOLDER / f"{page}.md").read_text(encoding="utf-8").splitlines()) <= 130
