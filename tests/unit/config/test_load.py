"""The configuration is read in both of the guide's forms, and everything that is wrong with it is said at once."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pv_testing.config import Config, Secret, configured_ledger_url, load_config
from pv_testing.config.model import default_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_names, project_root

GUIDE = """
lims:
  enabled: true
  provider: "Custom"  # or "LabWare", "StarLIMS", "LabVantage", each with a contract of its own
  base_url: "https://lims.company.com/api/v2"
  auth_type: "api_key"  # or "oauth2", "basic"
  api_key: "${LIMS_API_KEY}"
  sync_interval: 300  # seconds
  bidirectional: true
  mappings:
    sample_id_field: "LabSampleID"
    status_field: "TestStatus"
"""
NESTED = """
integrations:
  lims:
    base_url: https://lims.company.com/api/v2
    auth_type: "api_key"
    api_key_header: "X-API-Key"
    api_key: "${LIMS_API_KEY}"
  qms:
    base_url: https://qms.company.com/api
    auth_type: "oauth2"
    client_id: "${QMS_CLIENT_ID}"
    client_secret: "${QMS_CLIENT_SECRET}"
    token_url: "https://qms.company.com/oauth/token"
    scopes: ["read:nc", "write:nc", "read:capa"]
  erp:
    base_url: https://erp.company.com/api
    auth_type: "mtls"
    client_cert: "/certs/client.crt"
    client_key: "/certs/client.key"
    ca_cert: "/certs/ca.crt"
"""
ENV = {"LIMS_API_KEY": "key-1", "QMS_CLIENT_ID": "us", "QMS_CLIENT_SECRET": "hush"}


def read(folder: Path, text: str, env: dict[str, str] | None = None) -> Config:
    path = folder / "integrations.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, ENV if env is None else env)


def refusal(folder: Path, text: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, env)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_guides_section_at_the_top_level(tmp_path: Path) -> None:
    lims = read(tmp_path, GUIDE).systems["lims"].ready()
    assert (lims.provider, lims.base_url, lims.api_key) == ("Custom", "https://lims.company.com/api/v2", "key-1")
    assert (lims.sync_interval, lims.bidirectional) == (300, True)
    assert lims.mappings == {"sample_id_field": "LabSampleID", "status_field": "TestStatus"}
    assert lims.contract == "lims_custom"


def test_the_guides_sections_nested_under_integrations(tmp_path: Path) -> None:
    systems = read(tmp_path, NESTED).systems
    assert list(systems) == ["lims", "qms", "erp"]
    assert systems["qms"].ready().scopes == ("read:nc", "write:nc", "read:capa")
    assert systems["qms"].client_secret == "hush"
    erp = systems["erp"].ready()
    assert (erp.auth_type, erp.client_cert, erp.ca_cert) == ("mtls", "/certs/client.crt", "/certs/ca.crt")


def test_the_shipped_file_needs_no_variables_to_be_read_and_names_them_when_used() -> None:
    config = load_config(project_root() / "config" / "integrations.yaml", {})
    assert [name for name, system in config.systems.items() if system.enabled] == [
        "framework",
        "lims",
        "qms",
        "pm",
        "erp",
    ]
    assert config.lab.zone.key == "UTC"
    with pytest.raises(ConfigError) as caught:
        config.systems["lims"].ready()
    assert "lims.base_url: the environment variable LIMS_BASE_URL isn't set" in str(caught.value)
    assert "lims.api_key: the environment variable LIMS_API_KEY isn't set" in str(caught.value)
    env = {"LIMS_BASE_URL": "http://127.0.0.1:8000/api/v2", "LIMS_API_KEY": "k", "LAB_TIME_ZONE": "Europe/Berlin"}
    full = load_config(project_root() / "config" / "integrations.yaml", env)
    assert full.systems["lims"].ready().base_url == "http://127.0.0.1:8000/api/v2"
    assert full.lab.zone.key == "Europe/Berlin"


def test_one_error_lists_everything(tmp_path: Path) -> None:
    text = refusal(
        tmp_path,
        "lims:\n  provder: Custom\n  base_url: ftp://lims\n  sync_interval: often\n  auth_type: apikey\n"
        "  api_key: [s3cret]\n  bidirectional: 'yes'\nlimz: {}\n",
    )
    lines = text.splitlines()
    assert lines[0] == "7 problems"
    for line, expected in zip(
        lines[1:],
        [
            ":2: lims.provder: unknown key; did you mean 'provider'? allowed: allow_http",
            ':3: lims.base_url: "ftp://lims" must be an address such as https://',
            ':4: lims.sync_interval: must be a number, not "often"',
            ":5: lims.auth_type: \"apikey\" is unknown; did you mean 'api_key'? allowed: api_key, basic",
            ":6: lims.api_key: has a value of the wrong type or shape, which is not shown here",
            ':7: lims.bidirectional: must be true or false, not "yes"',
            ":8: limz: unknown key; did you mean 'lims'?",
        ],
        strict=True,
    ):
        assert line.startswith(f"  integrations.yaml{expected}")
    assert "s3cret" not in text


def test_missing_variables_and_settings_of_all_systems_come_in_one_error(tmp_path: Path) -> None:
    text = refusal(
        tmp_path, NESTED + "  pm: {auth_type: bearer}\nlab: {time_zone: Mars/Olympus}\n", {"LIMS_APIKEY": "x"}
    )
    assert text.startswith("6 problems")
    assert (
        ":7: integrations.lims.api_key: the environment variable LIMS_API_KEY isn't set; did you mean 'LIMS_AP" in text
    )
    for name, line in (("client_id", 11), ("client_secret", 12)):
        assert f":{line}: integrations.qms.{name}: the environment variable QMS_{name.upper()} isn't set" in text
    for name in ("base_url", "token"):
        assert f":21: integrations.pm.{name}: is missing; auth_type bearer needs it" in text
    assert "lab.time_zone: 'Mars/Olympus' is no time zone; write it like Europe/Berlin" in text


def test_variables_of_a_disabled_system_are_not_looked_at(tmp_path: Path) -> None:
    config = read(tmp_path, GUIDE.replace("enabled: true", "enabled: false"), {})
    with pytest.raises(ConfigError, match=r"integrations\.yaml:2: lims: the system is disabled; set enabled: true"):
        config.systems["lims"].ready()


def test_a_system_with_an_airflow_connection_is_complained_of_when_it_is_used_without(tmp_path: Path) -> None:
    config = read(tmp_path, GUIDE + "  connection: pv_lims\n", {})
    with pytest.raises(ConfigError, match="LIMS_API_KEY isn't set"):
        config.systems["lims"].ready()


def test_variables_within_text_with_defaults_and_in_lists(tmp_path: Path) -> None:
    text = (
        "lims:\n  base_url: https://${HOST}:${PORT:-8443}/api\n  auth_type: oauth2\n  client_id: ${EMPTY:-}me\n"
        "  client_secret: ${SECRET}\n  scopes: ['${SCOPE:-read}', write]\n  mappings:\n"
        "    status_field: ${FIELD:-status}\n"
    )
    lims = read(tmp_path, text, {"HOST": "lims", "SECRET": "a$b{c}"}).systems["lims"].ready()
    assert (lims.base_url, lims.client_id, lims.client_secret) == ("https://lims:8443/api", "me", "a$b{c}")
    assert lims.scopes == ("read", "write")
    assert lims.mappings == {"status_field": "status"}


def test_what_only_looks_like_a_variable_is_refused(tmp_path: Path) -> None:
    assert "has a ${ that isn't ${VARIABLE}" in refusal(tmp_path, "lims: {api_key: '${a-b}', base_url: 'http://x'}")


def test_an_empty_variable_is_a_missing_one(tmp_path: Path) -> None:
    assert "LIMS_API_KEY isn't set" in refusal(tmp_path, GUIDE, {"LIMS_API_KEY": ""})


def test_a_system_in_both_places_is_refused(tmp_path: Path) -> None:
    assert "integrations.lims: is at the top level as well; keep one" in refusal(tmp_path, GUIDE + NESTED)


def test_mutual_tls_with_oauth_needs_both_sets_of_credentials(tmp_path: Path) -> None:
    erp = "erp: {base_url: 'https://erp', auth_type: mtls, client_id: us, client_cert: c.pem}\n"
    text = refusal(tmp_path, erp)
    assert "erp.client_key: is missing" in text
    assert "erp.client_secret: is missing" in text
    lims = read(tmp_path, GUIDE + "  client_cert: certs/c.pem\n  client_key: /k.pem\n").systems["lims"]
    assert (lims.client_cert, lims.client_key) == (str(project_root() / "certs/c.pem"), "/k.pem")


def test_a_section_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no section 'qms'; allowed: lims"):
        read(tmp_path, GUIDE).systems["qms"]
    assert read(tmp_path, "").systems == {}


def test_the_yaml_traps_are_refused_here_too(tmp_path: Path) -> None:
    assert "lims.enabled: quote 'yes'" in refusal(tmp_path, "lims:\n  enabled: yes\n")
    assert "comes a second time" in refusal(tmp_path, "lims: {}\nlims: {}\n")


def test_secrets_are_not_in_what_is_printed(tmp_path: Path) -> None:
    config = read(tmp_path, NESTED + "ledger: {url: 'postgresql+psycopg://pv:s3cret@db/pv'}\n")
    shown = f"{config!r} {config} {list(config.systems.values())}"
    assert not any(secret in shown for secret in ("key-1", "hush", "s3cret"))
    secret = pickle.loads(pickle.dumps(config.systems["lims"].api_key))
    assert (secret, repr(secret), secret.encode(), f"Bearer {secret}") == ("key-1", "'***'", b"key-1", "Bearer key-1")
    assert repr(Secret()) == "''"


def test_the_file_is_found_by_argument_then_environment_then_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PV_CONFIG", raising=False)
    assert load_config(env={}).file == str(project_root() / "config" / "integrations.yaml")
    path = tmp_path / "other.yaml"
    path.write_text(GUIDE)
    monkeypatch.setenv("PV_CONFIG", str(path))
    assert load_config(env=ENV).file == str(path)
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read: No such file"):
        load_config(tmp_path / "absent.yaml")


def test_the_ledger_is_a_file_in_the_airflow_home_unless_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert read(tmp_path, "").ledger_url == f"sqlite:///{tmp_path}/pv_ledger.sqlite"
    assert read(tmp_path, "ledger: {url: 'sqlite:///${LIMS_API_KEY}.db'}").ledger_url == "sqlite:///key-1.db"


@pytest.mark.parametrize(
    ("system", "provider", "contract"),
    [
        ("framework", "", "framework"),
        ("lims", "Custom", "lims_custom"),
        ("lims", "SENAITE", "lims_senaite"),
        ("lims", "SENAITE 2.6", "lims_senaite"),
        ("lims", "senaite-2.6.0", "lims_senaite"),
        ("pm", "Redmine 5", "pm_redmine"),
        ("erp", "Tryton v8.2", "erp_tryton"),
        ("lims", "", "lims_custom"),
    ],
)
def test_the_provider_chooses_the_contract_whatever_its_version(system: str, provider: str, contract: str) -> None:
    assert default_contract(system, provider) == contract


@pytest.mark.parametrize("provider", ["Sunrise", "Heliox", "SENAITE LIMS", "2.6", "../../etc"])
def test_an_unknown_provider_is_an_error_that_lists_what_there_is(tmp_path: Path, provider: str) -> None:
    section = f"lims:\n  base_url: https://lims\n  api_key: k\n  provider: {provider!r}\n"
    text = refusal(tmp_path, section)
    assert text.startswith(f"integrations.yaml:4: lims.provider: there is no contract for the product {provider!r}; ")
    known = ", ".join(name.removeprefix("lims_") for name in contract_names() if name.startswith("lims_"))
    assert f"allowed: {known}; name one of them under contract, or write " in text
    assert "include/mappings/lims_" in text
    named = read(tmp_path, f"{section}  contract: lims_custom\n").systems["lims"].ready()
    assert (named.provider, named.contract) == (provider, "lims_custom")


def test_an_unknown_provider_of_a_disabled_system_is_left_alone(tmp_path: Path) -> None:
    assert not read(tmp_path, "lims: {provider: Heliox, enabled: false}").systems["lims"].enabled


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+pysqlite://"])
def test_a_ledger_that_forgets_can_not_be_configured(tmp_path: Path, url: str) -> None:
    assert ":1: ledger.url: is in memory" in refusal(tmp_path, f"ledger: {{url: '{url}'}}")


def test_where_the_ledger_is_is_known_whatever_else_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text(
        "ledger: {url: 'sqlite:////srv/lab.sqlite'}\nlims: {provider: Heliox}\nlimz: {}\n", encoding="utf-8"
    )
    monkeypatch.setenv("PV_CONFIG", str(path))
    assert configured_ledger_url() == "sqlite:////srv/lab.sqlite"
    path.write_text("ledger: {ulr: 'sqlite:////srv/lab.sqlite'}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'url'"):
        configured_ledger_url()
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read"):
        configured_ledger_url()


def test_the_guide_s_name_of_a_token_is_accepted(tmp_path: Path) -> None:
    pm = read(tmp_path, "pm: {base_url: 'https://pm', api_token: '${LIMS_API_KEY}'}").systems["pm"].ready()
    assert (pm.auth_type, pm.token) == ("bearer", "key-1")
    both = refusal(tmp_path, "pm: {base_url: 'https://pm', api_token: a-token, token: another}")
    assert "pm.api_token: says the same as token" in both
    assert "a-token" not in both


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("base_url: ${LIMS_URL}", ":2: lims.base_url: must be an address such as https://"),
        ("mappings: {status_field: '${EMPTY:-}'}", ":2: lims.mappings.status_field: must not be empty"),
    ],
)
def test_what_comes_of_a_variable_is_checked_and_not_shown(tmp_path: Path, line: str, expected: str) -> None:
    rest = "  auth_type: none\n" + ("" if "base_url" in line else "  base_url: https://lims\n")
    text = refusal(tmp_path, f"lims:\n  {line}\n{rest}", {"LIMS_URL": "https://us:s3cret@lims"})
    assert expected in text
    assert "s3cret" not in text


def test_a_secret_of_the_wrong_type_is_named_and_not_shown(tmp_path: Path) -> None:
    text = refusal(tmp_path, "lims: {password: {a: s3cret}}\nledger: {url: [s3cret]}\n")
    assert ":1: lims.password: has a value of the wrong type or shape, which is not shown here" in text
    assert ":2: ledger.url: has a value of the wrong type or shape, which is not shown here" in text
    assert "s3cret" not in text


@pytest.mark.parametrize("system", ["framework", "qms", "pm", "erp"])
def test_a_key_that_would_do_nothing_is_refused(tmp_path: Path, system: str) -> None:
    text = refusal(tmp_path, f"{system}: {{connection: pv, bidirectional: true}}")
    assert f"{system}.bidirectional: does nothing here: only the LIMS" in text


@pytest.mark.parametrize("address", ["https://lims.company.com/senaite/@@API/senaite/v1", "http://127.0.0.1:8080"])
def test_an_address_may_have_any_path(tmp_path: Path, address: str) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text(f"lims:\n  base_url: {address}\n  auth_type: none\n", encoding="utf-8")
    assert load_config(path).systems["lims"].base_url == address


@pytest.mark.parametrize("address", ["https://user:word@lims.company.com/api", "lims.company.com", "https://x/?a=b"])
def test_an_address_carries_no_credentials_and_no_query(tmp_path: Path, address: str) -> None:
    path = tmp_path / "integrations.yaml"
    path.write_text(f"lims:\n  base_url: {address}\n  auth_type: none\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="base_url"):
        load_config(path)
