"""The arguments of the guide's clients make a configuration, alone or over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pv_testing.config import system_config
from pv_testing.errors import ConfigError


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
