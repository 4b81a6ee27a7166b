"""Airflow finds the connection types without a build, and draws their forms with the fields of the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hooks.provider_info import get_provider_info
from tests.airflow.home import ask

SECRET = {"api_key", "client_secret"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return dict(ask("tests.airflow.probes.connection_types", home=tmp_path_factory.mktemp("home")))


def test_every_type_has_a_hook_that_can_be_imported(found: dict[str, Any]) -> None:
    assert found["hooks"] == {
        "pv_erp": "PV Testing ERP",
        "pv_framework": "PV Testing Framework",
        "pv_ledger": "PV Testing ledger",
        "pv_lims": "PV Testing LIMS",
        "pv_pm": "PV Testing PM",
        "pv_qms": "PV Testing QMS",
        "pv_webhook": "PV Testing webhook",
    }


def test_the_form_asks_for_what_authentication_needs_and_hides_secrets(found: dict[str, Any]) -> None:
    for name in ("pv_framework", "pv_lims", "pv_qms", "pv_pm", "pv_erp"):
        fields = found["types"][name]["extra_fields"]
        assert {"auth_type", "api_key", "api_key_header", "token_url", "scopes", "client_cert", "ca_cert"} <= set(
            fields
        )
        hidden = {field for field, spec in fields.items() if spec["schema"].get("format") == "password"}
        assert hidden == SECRET


def test_the_form_says_what_the_standard_fields_mean(found: dict[str, Any]) -> None:
    host = found["types"]["pv_lims"]["standard_fields"]["host"]
    assert host["title"] == "Base URL"
    assert host["placeholder"].startswith("https://")
    assert found["types"]["pv_lims"]["standard_fields"]["port"]["hidden"]


def test_links_and_asset_addresses_are_registered(found: dict[str, Any]) -> None:
    assert "operators.links.SampleLink" in found["links"]
    assert "pv" in found["converters"]


def test_the_provider_information_meets_airflows_schemas() -> None:
    import airflow
    import jsonschema

    folder = Path(airflow.__file__).parent
    info = get_provider_info()
    jsonschema.validate(info, json.loads((folder / "provider_info.schema.json").read_text()))
    types = json.loads((folder / "provider.yaml.schema.json").read_text())["properties"]["connection-types"]
    jsonschema.validate(info["connection-types"], types)
