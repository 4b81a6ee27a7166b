"""What docs/reference/configuration.md prints happens: files are read, connections win, the output is the real one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

import sandbox
from pv_testing.cli.main import main
from pv_testing.config import load_config, system_config
from pv_testing.contracts import load_contract
from pv_testing.core.sync import run
from pv_testing.integrations import FrameworkClient, LIMSClient
from pv_testing.ledger import Ledger
from pv_testing.providers.session import open_session
from pv_testing.samples.intake import create_samples
from pv_testing.samples.statuses import pull_statuses
from pv_testing.transports.tls import Tls
from sandbox.seed import SeedPlan
from tests.airflow.home import ask
from tests.docs.pages import PROJECT, blocks, text
from tests.shipped import variables

PAGE = PROJECT / "docs" / "reference" / "configuration.md"
ENVIRONMENT = {
    "FRAMEWORK_BASE_URL": "https://api.test-protocols.io/api/v1",
    "FRAMEWORK_USERNAME": "integration",
    "FRAMEWORK_PASSWORD": "word",
    "LIMS_API_KEY": "key",
}
WRONG = """\
framework:
  base_url: https://api.test-protocols.io/api/v1
lims:
  provdier: Custom
  base_url: https://lims.company.com/api/v2
  auth_type: apikey
  sync_interval: often
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def printed(first: str) -> list[str]:
    """Return the lines of the page's output block that begins with some text."""
    (block,) = re.findall(rf"^```\n({re.escape(first)}.*?)^```$", text(PAGE), re.DOTALL | re.MULTILINE)
    return str(block).splitlines()


@pytest.mark.parametrize("block", blocks(PAGE, "yaml"), ids=["first", "mutual_tls", "slower"])
def test_the_files_of_the_page_can_be_read(here: Path, block: str) -> None:
    path = here / "integrations.yaml"
    path.write_text(block, encoding="utf-8")
    assert load_config(path, ENVIRONMENT).systems
    nested = "integrations:\n" + "\n".join(f"  {line}" for line in block.splitlines())
    path.write_text(nested, encoding="utf-8")
    assert load_config(path, ENVIRONMENT).systems


def test_the_dags_run_less_often_as_the_page_says(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [each for each in blocks(PAGE, "yaml") if "sync_interval: 3600" in each]
    (here / "integrations.yaml").write_text(block, encoding="utf-8")
    of_section = re.findall(r"^\| `(\w+)` \| ((?:`pv_\w+`(?:, )?)+) \|$", text(PAGE), re.MULTILINE)
    intervals = {"framework": "0:05:00", "lims": "1:00:00", "qms": "0:05:00", "pm": "0:05:00", "erp": "0:05:00"}
    wanted = {dag: intervals[section] for section, dags in of_section for dag in re.findall(r"pv_\w+", dags)}
    described = ask(
        "tests.dags.probes.describe", str(PROJECT / "dags"), home=here, PV_CONFIG=str(here / "integrations.yaml")
    )
    assert {name: described["dags"][name]["interval"] for name in wanted} == wanted


def test_check_prints_what_the_page_shows(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECT / "config", here / "config")
    with sandbox.serve() as lab:
        for name, value in variables(lab).items():
            monkeypatch.setenv(name, value)
        assert main(["check", "--config", "config/integrations.yaml"]) == 0
        output = capsys.readouterr().out
        for number, system in enumerate(lab.origins, start=1):
            output = output.replace(lab.origins[system], f"http://127.0.0.1:800{number}")
        lines, shown = output.splitlines(), printed("ok ")
        place = shown.index("…")  # the page leaves most contracts out
        assert lines[:place] == shown[:place]
        assert lines[-len(shown[place + 1 :]) :] == shown[place + 1 :]
        monkeypatch.setenv("LIMS_API_KEY", "wrong")
        assert main(["check", "--config", "config/integrations.yaml"]) == 1
        assert main(["check", "--config", "config/integrations.yaml", "--offline"]) == 0


def test_check_says_all_that_is_wrong_with_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.yaml").write_text(WRONG, encoding="utf-8")
    assert main(["check", "--offline", "--config", "bad.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    shown = printed("FAILED")
    for line, expected in zip(lines[-len(shown) :], shown, strict=True):
        start, _, end = expected.partition("…")
        assert line.startswith(start)
        assert line.endswith(end)


@pytest.mark.parametrize("key", ["password: ${LIMS_PASSWORD}", "username: ada"])
def test_check_blots_out_none_of_its_own_words(here: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    (here / "some.yaml").write_text(f"lims: {{base_url: 'https://lims', auth_type: basic, {key}}}", encoding="utf-8")
    assert main(["check", "--offline", "--config", "some.yaml"]) == 1
    assert "***" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("system", "given", "auth_type"),
    [
        ("lims", {"api_key": "k"}, "api_key"),
        ("lims", {"client_id": "i", "client_secret": "s"}, "oauth2"),
        ("lims", {"token": "t"}, "bearer"),
        ("lims", {"client_cert": "/c", "client_key": "/k"}, "mtls"),
        ("lims", {"username": "u", "password": "p"}, "basic"),
        ("framework", {"username": "u", "password": "p"}, "jwt"),
    ],
)
def test_the_way_of_authenticating_follows_from_what_is_there(
    system: str, given: dict[str, Any], auth_type: str
) -> None:
    assert system_config(system, "https://lims.company.com", **given).auth_type == auth_type
    assert f"`{auth_type}`" in text(PAGE)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"auth_type": "mtls"}, "Auth"),
        ({"auth_type": "mtls", "client_id": "i", "client_secret": "s"}, "ClientCredentials"),
        ({"auth_type": "oauth2", "client_id": "i", "client_secret": "s"}, "ClientCredentials"),
        ({"auth_type": "api_key", "api_key": "k"}, "FixedHeader"),
    ],
)
def test_a_client_certificate_goes_along_with_any_way(given: dict[str, Any], expected: str) -> None:
    files = {"client_cert": "/certs/client.crt", "client_key": "/certs/client.key"}
    config = system_config("lims", "https://lims.company.com", **files, **given)
    session = open_session(config, load_contract("lims_custom"), Ledger.in_memory())
    assert type(session.auth).__name__ == expected
    assert session.settings.tls == Tls("", "/certs/client.crt", "/certs/client.key")


def connections() -> dict[str, str]:
    """Return the page's connections as a shell would set them."""
    (block,) = (block for block in blocks(PAGE, "sh") if "AIRFLOW_CONN" in block)
    words = [word.partition("=") for word in shlex.split(block) if word != "export"]
    return {name: value for name, _, value in words}


def test_the_connections_of_the_page_win_over_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import Connection

    given = connections()
    assert sorted(given) == ["AIRFLOW_CONN_PV_FRAMEWORK", "AIRFLOW_CONN_PV_LEDGER", "AIRFLOW_CONN_PV_LIMS"]
    (here / "some.yaml").write_text(
        "lims: {connection: pv_lims, base_url: 'https://file', username: kept}\nframework: {connection: pv_framework}",
        encoding="utf-8",
    )
    systems = load_config(here / "some.yaml").systems
    lims = systems["lims"].with_connection(Connection.from_json(given["AIRFLOW_CONN_PV_LIMS"], "pv_lims"))
    assert (lims.base_url, lims.auth_type, lims.client_id) == (
        "https://lims.company.com/api/v2", "oauth2", "pv-testing",
    )  # fmt: skip
    assert lims.scopes == ("read:samples", "write:samples", "write:results")
    assert lims.username == "kept"
    framework = Connection.from_json(given["AIRFLOW_CONN_PV_FRAMEWORK"], "pv_framework")
    assert systems["framework"].with_connection(framework).username == "integration"


def test_the_ledgers_connection_is_a_postgresql_address() -> None:
    from airflow.sdk import Connection

    from hooks.ledger import address

    given = Connection.from_json(connections()["AIRFLOW_CONN_PV_LEDGER"], "pv_ledger")
    assert address(given).startswith("postgresql+psycopg://pv:")
    assert address(given).endswith("@db.company.com/pv_ledger?sslmode=verify-full")


def test_the_extra_field_takes_exactly_what_the_page_lists() -> None:
    from pv_testing.config.connection import EXTRA

    (sentence,) = re.findall(r"As JSON, the extra field also takes (.*?)\.", text(PAGE))
    also = set(re.findall(r"`(\w+)`", sentence))
    table = text(PAGE).partition("| form field | says | key of the file |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"\(`(\w+)`\)", table)) - {"host", "login", "password"}
    assert listed | also == set(EXTRA)


def test_nothing_comes_back_from_a_lims_that_is_not_bidirectional(tmp_path: Path) -> None:
    contract = tmp_path / "lims_strict.yaml"
    custom = text(PROJECT / "include" / "mappings" / "lims_custom.yaml")
    contract.write_text(custom.replace("Received: PENDING_INSPECTION", "Received: INSPECTION_COMPLETE"))
    with sandbox.serve(seed_plan=SeedPlan(modules=1, protocols=1)) as lab:
        known = lab.credentials
        login = {"username": known.framework_username, "password": known.framework_password}
        for both, changed in ((False, 0), (True, 1)):
            with (
                Ledger.in_memory() as ledger,
                FrameworkClient(lab.framework_url, ledger=ledger, **login) as framework,
                LIMSClient(
                    lab.lims_url,
                    api_key=known.lims_api_key,
                    contract=str(contract),
                    bidirectional=both,
                    ledger=ledger,
                ) as lims,
            ):
                run(create_samples(framework, lims, [1])).raise_for_waiting()
                lab.receive()
                assert run(pull_statuses(framework, lims, [1])).counts()["updated"] == changed


def test_the_json_of_the_airflow_page_is_json() -> None:
    page = text(PROJECT / "docs" / "reference" / "airflow.md")
    (found,) = re.findall(r"AIRFLOW_CONN_PV_LIMS='(.*?)'", page, re.DOTALL)
    assert json.loads(found)["conn_type"] == "pv_lims"
