"""What the pages of QMS's and of Microsoft Project tell a laboratory to write is what the configuration takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.config import load_config
from pv_testing.config.options import chosen
from pv_testing.contracts import load_contract
from pv_testing.providers.registry import auth_of, provider_of
from tests.docs.pages import PROJECT, blocks

PAGES = {
    "dataverse": "pm_dataverse",
    "microsoft-project": "pm_microsoft_project",
    "salesforce": "qms_salesforce",
    "sap-qm": "qms_sap_qm",
    "veeva": "qms_veeva",
}
VARIABLES = (
    "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET", "SAP_USER", "SAP_PASSWORD", "VAULT_USER", "VAULT_PASSWORD",
    "DATAVERSE_CLIENT_ID", "DATAVERSE_CLIENT_SECRET",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_of_a_page_is_accepted(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "value")
    (block,) = blocks(PROJECT / "docs" / "products" / f"{page}.md", "yaml")
    path = tmp_path / "integrations.yaml"
    path.write_text(block.lstrip(), encoding="utf-8")
    config = load_config(path).systems[PAGES[page].partition("_")[0]].ready()
    assert config.contract == PAGES[page]
    contract = load_contract(config.contract, config.mappings)
    chosen(config, provider_of(contract, config).known_options)
    assert auth_of(config, contract)
