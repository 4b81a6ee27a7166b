"""An Airflow connection is laid over the file: what is filled in wins, and what it gives need not be in the file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pv_testing.config import SystemConfig, load_config
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import project_root


@dataclass
class Connection:
    """The fields of Airflow's connection that are read; tests/airflow lays a real one over the file."""

    conn_id: str = "pv_lims"
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def extra_dejson(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.extra))


def shipped(system: str = "lims") -> SystemConfig:
    return load_config(project_root() / "config" / "integrations.yaml", {}).systems[system]


HOST = "https://lims.company.com/api/v2"


def test_address_and_secret_of_the_connection_stand_in_for_the_variables() -> None:
    lims = shipped().with_connection(Connection(host=HOST, password="key"))
    assert (lims.base_url, lims.auth_type, lims.api_key) == (HOST, "api_key", "key")
    assert "api_key='***'" in repr(lims)
    framework = shipped("framework").with_connection(
        Connection("pv_framework", host="http://127.0.0.1:1/api/v1", login="integration", password="word")
    )
    assert (framework.username, framework.password) == ("integration", "word")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("basic", {"username": "us", "password": "word"}),
        ("jwt", {"username": "us", "password": "word"}),
        ("bearer", {"token": "word"}),
        ("api_key", {"api_key": "word"}),
        ("oauth2", {"client_id": "us", "client_secret": "word"}),
    ],
)
def test_login_and_password_are_what_the_way_of_authenticating_needs(kind: str, expected: dict[str, str]) -> None:
    lims = shipped().with_connection(Connection(host=HOST, login="us", password="word", extra={"auth_type": kind}))
    assert {name: getattr(lims, name) for name in expected} == expected


def test_the_extra_fields_of_the_form_win_and_empty_ones_are_not_filled_in() -> None:
    extra = {
        "auth_type": "oauth2",
        "client_id": "form",
        "client_secret": "hush",
        "scopes": "read:samples write:samples",
        "token_url": None,
        "ca_cert": "",
        "client_cert": "/c.pem",
        "client_key": "/k.pem",
        "allow_http": "true",
        "mappings": {"status_field": "TestStatus"},
        "sample_url": "https://lims.company.com/samples/{id}",
    }
    lims = shipped().with_connection(Connection(host=HOST, login="ignored", password="ignored", extra=extra))
    assert (lims.client_id, lims.client_secret, lims.token_url, lims.ca_cert) == ("form", "hush", "", "")
    assert lims.scopes == ("read:samples", "write:samples")
    assert (lims.client_cert, lims.client_key, lims.allow_http) == ("/c.pem", "/k.pem", True)
    assert lims.mappings == {"status_field": "TestStatus"}


def test_a_provider_of_the_connection_brings_its_contract() -> None:
    connection = Connection(host=HOST, login="a", password="b", extra={"auth_type": "basic", "provider": "SENAITE"})
    assert shipped().with_connection(connection).contract == "lims_senaite"
    connection.extra["contract"] = "lims_custom"
    assert shipped().with_connection(connection).contract == "lims_custom"


def test_an_unknown_provider_of_the_file_is_complained_of_unless_the_connection_names_another(tmp_path: Path) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("lims: {connection: pv_lims, provider: Heliox}")
    lims = load_config(path, {}).systems["lims"]
    for extra, contract in (({"provider": "SENAITE 2.6"}, "lims_senaite"), ({"contract": "lims_soap"}, "lims_soap")):
        assert lims.with_connection(Connection(host=HOST, password="k", extra=extra)).contract == contract
    for extra in ({}, {"provider": "Sunrise"}):
        with pytest.raises(ConfigError, match=r"there is no contract for the product '(Heliox|Sunrise)'"):
            lims.with_connection(Connection(host=HOST, password="k", extra=extra))


def test_the_guide_s_name_of_a_token_is_accepted() -> None:
    given = Connection("pv_pm", host=HOST, extra={"api_token": "token-1"})
    assert shipped("pm").with_connection(given).token == "token-1"


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        (Connection(host="lims.company.com", password="k"), "https://lims.company.com"),
        (Connection(host="localhost", schema="http", port=8080, password="k"), "http://localhost:8080"),
        (Connection(host="http://localhost:8080/api", schema="x", port=1, password="k"), "http://localhost:8080/api"),
    ],
)
def test_an_address_in_parts(connection: Connection, address: str) -> None:
    assert shipped().with_connection(connection).base_url == address


def test_what_is_still_missing_is_said_with_the_line_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        shipped().with_connection(Connection(host=HOST))
    assert "lims.api_key: the environment variable LIMS_API_KEY isn't set" in str(caught.value)
    assert "LIMS_BASE_URL" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"lims: auth_type basic needs username; set it in .* the connection pv_lims"):
        shipped().with_connection(Connection(host=HOST, password="x", extra={"auth_type": "basic"}))


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"auth-type": "basic"}, "connection pv_lims: unknown extra field 'auth-type'; did you mean 'auth_type'?"),
        ({"auth_type": "digest"}, "connection pv_lims: unknown auth_type 'digest'; did you mean 'wsse_digest'?"),
        ({"auth_type": ["basic"]}, "the extra field 'auth_type' has a value of the wrong type; it is unknown; "),
        ({"scopes": 5}, "the extra field 'scopes' has a value of the wrong type"),
        ({"api_key": ["s3cret"]}, "the extra field 'api_key' has a value of the wrong type"),
        ({"scopes": [5]}, "the extra field 'scopes[0]' has a value of the wrong type; it must be text, not int"),
        ({"allow_http": "perhaps"}, "the extra field 'allow_http' has a value of the wrong type; it must be true or"),
        ({"allow_http": 1}, "the extra field 'allow_http' has a value of the wrong type"),
        (
            {"mappings": {"status_field": 5}},
            "'mappings.status_field' has a value of the wrong type; it must be text, not",
        ),
        ({"mappings": "status_field"}, "'mappings' has a value of the wrong type"),
        ({"options": {"client": ["a"]}}, "'options.client' has a value of the wrong type"),
    ],
)
def test_an_extra_field_that_can_not_be_meant_is_refused(extra: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        shipped().with_connection(Connection(host=HOST, password="k", extra=extra))
    assert expected in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_host_that_is_no_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="connection pv_lims: the host must be an address such as") as caught:
        shipped().with_connection(Connection(host="https://user:s3cret@lims.company.com", password="k"))
    assert "s3cret" not in str(caught.value)


def test_a_disabled_system_stays_disabled(tmp_path: Path) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("qms: {enabled: false, connection: pv_qms}")
    qms = load_config(path, {}).systems["qms"]
    with pytest.raises(ConfigError, match="qms: the system is disabled"):
        qms.with_connection(Connection("pv_qms", host=HOST, login="a", password="b"))


def test_the_file_itself_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text("lims: {base_url: 'https://file', api_key: file, connection: pv_lims}")
    config = load_config(path, {})
    assert config.systems["lims"].with_connection(Connection(password="conn")).api_key == "conn"
    assert (config.systems["lims"].api_key, config.systems["lims"].base_url) == ("file", "https://file")
