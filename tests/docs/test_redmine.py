"""What docs/how-to/redmine.md tells a laboratory to write is what the provider and its contracts take."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pv_testing.config import load_config
from pv_testing.config.options import chosen
from pv_testing.contracts import load_contract
from pv_testing.core.places import contract_path
from pv_testing.core.yaml_file import read_yaml
from pv_testing.providers.redmine import RedmineProvider
from pv_testing.providers.redmine.listings import CRITERIA
from pv_testing.providers.redmine.options import Options
from tests.docs.pages import PROJECT, blocks, prose
from tests.live.redmine.plan import plan

PAGE = PROJECT / "docs" / "how-to" / "redmine.md"


@pytest.mark.parametrize("system", ["pm", "qms"])
def test_the_configuration_of_the_page_is_accepted(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDMINE_API_KEY", "k" * 40)
    (block,) = blocks(PAGE, "yaml")
    path = tmp_path / "integrations.yaml"
    path.write_text(block.lstrip(), encoding="utf-8")
    config = load_config(path).systems[system]
    assert chosen(config, RedmineProvider.known_options)["project"]
    assert load_contract(contract_path(config.contract), config.mappings).provider == "Redmine"


def test_every_option_is_described() -> None:
    assert [field.name for field in fields(Options) if f"| `{field.name}` |" not in prose(PAGE)] == []


@pytest.mark.parametrize("system", ["pm", "qms"])
def test_every_name_is_described_with_its_default(system: str) -> None:
    names = read_yaml(contract_path(f"{system}_redmine")).value["names"]
    rows = [line for line in prose(PAGE).splitlines() if f"| `{system}` |" in line]
    for name, default in names.items():
        assert [row for row in rows if f"`{name}`" in row and f"`{default}`" in row]


def test_every_listing_and_its_criteria_are_described() -> None:
    (paragraph,) = re.findall(r"\*\*Listings\*\*.*?\n\n", prose(PAGE), re.DOTALL)
    assert [word for name, each in CRITERIA.items() for word in (name, *each) if f"`{word}`" not in paragraph] == []


def test_every_permission_of_the_tried_role_is_named() -> None:
    page = " ".join(prose(PAGE).casefold().split())
    words = {"add_issue_notes": "add notes", "log_time": "log spent time", "view_time_entries": "view spent time"}
    words |= {"log_time_for_other_users": "log spent time for other users", "edit_time_entries": "edit time logs"}
    wanted = [words.get(name, name.replace("_", " ")) for name in plan()["role"]["permissions"]]
    assert [permission for permission in wanted if f"*{permission}*" not in page] == []
