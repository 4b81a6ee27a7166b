"""The arguments of the guide's clients make a configuration, alone or over the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.integrations import LIMSClient


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("lims:\n  base_url: https://file/api\n  api_key: ${FILE_KEY}\n  provider: SENAITE\n")
    monkeypatch.setenv("PV_CONFIG", str(path))
    monkeypatch.setenv("FILE_KEY", "from-file")
    monkeypatch.setenv("QMS_PASSWORD", "hush")


@pytest.mark.parametrize(
    ("system", "arguments", "expected"),
    [
        ("lims", {"api_key": "YOUR_API_KEY"}, {"auth_type": "api_key", "api_key": "YOUR_API_KEY"}),
        ("qms", {"username": "us", "password": "${QMS_PASSWORD}"}, {"auth_type": "basic", "password": "hush"}),
        ("pm", {"api_token": "t"}, {"auth_type": "bearer", "token": "t"}),
        ("erp", {"client_id": "us", "client_secret": "s"}, {"auth_type": "oauth2", "client_id": "us"}),
        ("framework", {"username": "us", "password": "p"}, {"auth_type": "jwt", "contract": "framework"}),
        ("erp", {"client_cert": "/c", "client_key": "/k"}, {"auth_type": "mtls", "client_cert": "/c"}),
        ("lims", {"auth_type": "none"}, {"auth_type": "none"}),
    ],
)
def test_the_guides_constructors(system: str, arguments: dict[str, str], expected: dict[str, str]) -> None:
    config = system_config(system, base_url="https://company.com/api", **arguments)
    assert config.base_url == "https://company.com/api"
    assert {name: getattr(config, name) for name in expected} == expected


def test_without_arguments_the_file_says_everything() -> None:
    lims = system_config("lims")
    assert (lims.base_url, lims.api_key, lims.contract) == ("https://file/api", "from-file", "lims_senaite")


def test_arguments_without_an_address_are_laid_over_the_file() -> None:
    lims = system_config("lims", api_key="given", contract="lims_custom")
    assert (lims.base_url, lims.api_key, lims.contract) == ("https://file/api", "given", "lims_custom")


def test_with_an_address_the_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PV_CONFIG", "/nonexistent")
    assert system_config("lims", base_url="https://company.com/api", api_key="k").provider == ""


def test_a_provider_in_the_arguments_chooses_the_contract_and_an_unknown_one_is_refused() -> None:
    assert system_config("lims", "https://x", api_key="k", provider="SENAITE 2.6").contract == "lims_senaite"
    assert system_config("lims", provider="Custom").contract == "lims_custom"
    assert system_config("lims", "https://x", api_key="k", provider="Heliox", contract="lims_soap").provider == "Heliox"
    for arguments in ({"base_url": "https://x", "api_key": "k"}, {}):
        with pytest.raises(
            ConfigError,
            match="no contract for the product 'Heliox'; allowed: custom, ",
        ):
            system_config("lims", **arguments, provider="Heliox")


def test_a_setting_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="bidirectional does nothing here"):
        system_config("qms", base_url="https://x", username="u", password="p", bidirectional=False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"base_url": "https://x", "apikey": "k"}, "unknown setting 'apikey'; did you mean 'api_key'?"),
        ({"base_url": "https://x", "api_key": "${NOT_SET_AT_ALL}"}, "variable NOT_SET_AT_ALL isn't set"),
        ({"base_url": "https://x"}, "lims: auth_type api_key needs api_key; set it"),
        ({"base_url": "https://x", "username": "us"}, "auth_type basic needs password"),
        ({"base_url": "https://x", "auth_type": "digest"}, "unknown auth_type 'digest'"),
    ],
)
def test_what_is_wrong_with_the_arguments(arguments: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        system_config("lims", **arguments)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"allow_http": "false"}, "allow_http must be true or false, not str"),
        ({"allow_http": 1}, "allow_http must be true or false, not int"),
        ({"bidirectional": "false"}, "bidirectional must be true or false, not str"),
        ({"sync_interval": "often"}, "sync_interval must be a number, not str"),
        ({"sync_interval": True}, "sync_interval must be a number, not bool"),
        ({"sync_interval": float("nan")}, "sync_interval must be a finite number"),
        ({"sync_interval": -1}, "sync_interval is out of range: it must be at least 0"),
        ({"mappings": "status_field"}, "mappings must be a mapping, not str"),
        ({"mappings": {"status_field": 5}}, "mappings.status_field must be text, not int"),
        ({"options": {"client": ["a"]}}, "options.client must be text or a number or true or false, not list"),
        ({"scopes": 5}, "scopes must be text or a list of text, not int"),
        ({"scopes": [5]}, "scopes[0] must be text, not int"),
        ({"api_key": b"secret"}, "api_key must be text, not bytes"),
        ({"api_token": 12345}, "api_token must be text, not int"),
        ({"ca_cert": b"secret"}, "ca_cert must be text, not bytes"),
        ({"base_url": 5}, "base_url must be text, not int"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_and_not_shown(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        system_config("lims", **{"base_url": "https://x", "api_key": "k", **arguments})
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_arguments_of_every_type_are_accepted(tmp_path: Path) -> None:
    config = system_config(
        "lims",
        base_url="http://lims.company.com/api",
        api_key="k",
        allow_http=True,
        bidirectional=False,
        sync_interval=0.5,
        scopes=("read:samples", "write:samples"),
        ca_cert=tmp_path / "ca.crt",
        contract=tmp_path / "own.yaml",
        mappings={"status_field": "TestStatus"},
        options={"client": "PV", "pages": 3, "strict": True},
    )
    assert (config.allow_http, config.bidirectional, config.sync_interval) == (True, False, 0.5)
    assert (config.ca_cert, config.contract) == (str(tmp_path / "ca.crt"), str(tmp_path / "own.yaml"))
    assert config.scopes == ("read:samples", "write:samples")
    assert config.mappings == {"status_field": "TestStatus"}
    assert config.options == {"client": "PV", "pages": 3, "strict": True}


def test_an_address_without_tls_stays_refused_whatever_text_allows_it() -> None:
    with pytest.raises(ConfigError), LIMSClient("http://lims.company.com/api", api_key="k", allow_http="false"):
        pytest.fail("the text was taken for a yes")


def test_the_guide_s_mappings_reach_every_contract_of_a_lims_whose_fields_can_have_other_names() -> None:
    given = {"sample_id_field": "LabSampleID", "status_field": "TestStatus"}
    for name, sample in (("lims_custom", "id"), ("lims_soap", "LabSampleID")):  # the first has the id in the address
        status = load_contract(name, given).maps["status"].out({"lims_sample_id": "7", "lims_status": "Received"})
        assert status == {sample: "7", "TestStatus": "Received"}
    with pytest.raises(ConfigError, match="has no 'sample_id_field'; did you mean 'sample_type'"):
        load_contract("lims_senaite", given)
