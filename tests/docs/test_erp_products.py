"""What the pages of ERPs tell a laboratory to write is what the configuration and the contracts take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.config import load_config
from pv_testing.config.options import chosen
from pv_testing.contracts import load_contract
from pv_testing.providers.registry import auth_of, provider_of
from tests.docs.pages import PROJECT, blocks

PAGES = ["business-central", "erpnext", "netsuite", "odoo", "s4hana"]
EXAMPLES = [
    pytest.param(block, id=f"{name}-{number}")
    for name in PAGES
    for number, block in enumerate(blocks(PROJECT / "docs" / "products" / f"{name}.md", "yaml"))
]
VARIABLES = (
    "BC_CLIENT_ID", "BC_CLIENT_SECRET", "ODOO_API_KEY", "ERPNEXT_KEY", "ERPNEXT_SECRET", "NETSUITE_CLIENT_ID",
    "NETSUITE_CERTIFICATE_ID", "SAP_USER", "SAP_PASSWORD",
)  # fmt: skip


@pytest.mark.parametrize("block", EXAMPLES)
def test_the_configuration_of_a_page_is_accepted(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "value")
    path = tmp_path / "integrations.yaml"
    path.write_text(block.lstrip(), encoding="utf-8")
    config = load_config(path).systems["erp"].ready()
    contract = load_contract(config.contract, config.mappings)
    kind = provider_of(contract, config)
    assert kind.__module__.startswith("pv_testing.providers.")
    assert kind.__module__ != "pv_testing.providers.rest"
    chosen(config, kind.known_options)
    assert auth_of(config, contract)
