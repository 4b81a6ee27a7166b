"""A service of ``compose.yaml`` without containers: as systemd runs it, as a user checks it, and the sandbox."""

from __future__ import annotations

import configparser
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import compose, secrets
from cluster.compose import PROJECT, Places
from cluster.service import SANDBOX, SERVICES, check, give_credentials, here, place
from sandbox import Credentials

UNIT = PROJECT / "deploy" / "pv@.service"
OWNER = "/srv/pv/"


def unit() -> configparser.SectionProxy:
    """Return what the template says of the service."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser["Service"]


@pytest.mark.parametrize("name", [*SERVICES, SANDBOX, "worker-2"])
def test_systemd_runs_each_service_by_absolute_paths(name: str, tmp_path: Path) -> None:
    program, *arguments = unit()["ExecStart"].replace("%i", name).split()
    assert program == f"{unit()['WorkingDirectory']}/.venv/bin/python"
    assert not [part for part in (program, *arguments) if "~" in part or "$" in part or part.startswith(".")]
    command = [part.replace(OWNER, f"{tmp_path}/") for part in arguments]
    answer = subprocess.run(
        [sys.executable, *command, "--print"],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "SANDBOX_HOST=127.0.0.1\n" or f"AIRFLOW_HOME={tmp_path}/pv-home" in answer.stdout


def test_a_name_says_which_of_several_is_meant() -> None:
    assert [place(name) for name in ("worker", "worker-2", "dag-processor", "api-server-12")] == [
        ("worker", 1),
        ("worker", 2),
        ("dag-processor", 1),
        ("api-server", 12),
    ]


def test_an_unknown_service_is_named_and_the_known_ones(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "cluster.service", "wurker-2", "--home", tmp_path, "--secrets", tmp_path],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 2
    assert "there is no service wurker-2; there are migrate, api-server," in answer.stderr


def test_a_check_says_what_the_health_check_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = here(compose.services({})["worker"], Places(tmp_path, tmp_path, "127.0.0.1:18080"), 1)
    assert check(replace(known, health=["sh", "-c", "echo pong"])) == 0
    assert capsys.readouterr().out == "worker is healthy\n"
    assert check(replace(known, health=["sh", "-c", "echo no answer; exit 3"])) == 3
    assert capsys.readouterr().err == "no answer\nworker is not healthy\n"


def test_the_sandbox_listens_on_this_machine_alone_with_the_credentials_of_the_connections(tmp_path: Path) -> None:
    places = Places(tmp_path / "home", tmp_path / "secrets", "127.0.0.1:18080")
    secrets.write(places.secrets, secrets.Addresses(sandbox=secrets.sandbox_at("127.0.0.1")))
    service = here(compose.services({})[SANDBOX], places, 1)
    give_credentials(places)
    data = tmp_path / "home" / "sandbox-data"
    assert f"--data={data}" in service.command
    assert service.environment["SANDBOX_HOST"] == "127.0.0.1"
    assert (data / "credentials.json").stat().st_mode & 0o777 == 0o600
    connections = (places.secrets / "connections.json").read_text()
    assert Credentials.kept(data).lims_api_key in connections
    assert "http://127.0.0.1:8002/api/v2" in connections
