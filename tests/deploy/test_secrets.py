"""The files of secrets: made at random, kept, read by their owner alone, and what Airflow makes connections of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cluster import secrets
from cluster.compose import PROJECT
from sandbox import Credentials


def test_they_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    new = secrets.write(folder, secrets.Addresses())
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(new) == set(first)
    assert secrets.write(folder, secrets.Addresses()) == []
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    other = tmp_path / "other"
    secrets.write(other, secrets.Addresses())
    assert not {name for name in first if (other / name).read_text() == first[name]}


def test_a_missing_one_is_made_again_and_agrees_with_the_others(tmp_path: Path) -> None:
    secrets.write(tmp_path, secrets.Addresses())
    (tmp_path / "database_url").unlink()
    assert secrets.write(tmp_path, secrets.Addresses(postgres="db:1")) == ["database_url"]
    password = (tmp_path / "postgres_password").read_text()
    assert (tmp_path / "database_url").read_text() == f"postgresql+psycopg://airflow:{password}@db:1/airflow"


def test_the_sandbox_takes_its_credentials_from_them(tmp_path: Path) -> None:
    secrets.write(tmp_path, secrets.Addresses(sandbox=secrets.sandbox_at("sandbox")))
    (tmp_path / "credentials.json").write_text((tmp_path / "sandbox.json").read_text())
    known, connections = Credentials.kept(tmp_path), json.loads((tmp_path / "connections.json").read_text())
    assert connections["pv_lims"]["password"] == known.lims_api_key
    assert connections["pv_qms"] == {
        "conn_type": "pv_qms",
        "host": "http://sandbox:8003/api",
        "login": known.qms_client_id,
        "password": known.qms_client_secret,
        "extra": {"auth_type": "oauth2", "allow_http": True},
    }


def test_the_command_needs_the_standard_library_alone(tmp_path: Path) -> None:
    code = "import runpy, sys; sys.argv[1:] = ['secrets']; runpy.run_module('cluster.secrets', run_name='__main__')"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(PROJECT)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Fill in the addresses" in answer.stdout, answer.stderr
    assert (tmp_path / ".env").read_text().startswith("AIRFLOW_UID=")
    assert "AIRFLOW_UID=0" not in (tmp_path / ".env").read_text()
    assert len(list((tmp_path / "secrets").iterdir())) == 11
