"""The file drop and the import over SFTP, with a real sshd, through Airflow's provider and a connection."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.object_storage import open_path
from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.transports.files.store import open_store
from sandbox.importer import Importer
from tests.airflow.stores import carried_twice, does_what_a_folder_does

sshfs = pytest.importorskip("sshfs", reason="sshfs isn't installed: apache-airflow-providers-sftp[sshfs]")
pytest.importorskip("airflow.providers.sftp", reason="apache-airflow-providers-sftp isn't installed")
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    """Start an sshd of this test's own, which knows one key."""
    if SSHD is None:
        pytest.skip("no sshd on this machine; install openssh-server to try SFTP")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    number = free_port()
    (folder / "config").write_text(CONFIGURATION.format(port=number, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not answers(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.environ["PV_TEST_SSH"] = str(folder)
    yield number
    process.terminate()
    process.wait()


@pytest.fixture
def address(port, tmp_path, monkeypatch) -> str:
    folder = Path(os.environ["PV_TEST_SSH"])
    (tmp_path / ".ssh").mkdir()
    key = (folder / "host.pub").read_text()
    (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
    monkeypatch.setenv("HOME", str(tmp_path))
    extra = {"key_file": str(folder / "user")}
    connection = {"conn_type": "sftp", "host": "127.0.0.1", "port": port, "login": getpass.getuser(), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PV_DROP", json.dumps(connection))
    monkeypatch.setenv(
        "AIRFLOW_CONN_PV_OPEN", json.dumps({**connection, "extra": {**extra, "no_host_key_check": "true"}})
    )
    (tmp_path / "store").mkdir()
    return f"sftp://pv_drop@{tmp_path / 'store'}"


def test_a_store_over_sftp_does_what_a_folder_does(address, tmp_path) -> None:
    store = open_store(address, open_path)
    assert store.renames
    does_what_a_folder_does(store)
    assert (tmp_path / "store" / "out" / "deep" / "b.csv").read_bytes() == b"1"
    (tmp_path / "store" / "in" / "link.csv").symlink_to("/etc/passwd")
    assert store.names("in") == []


def test_records_are_dropped_and_answered_over_sftp(address, tmp_path) -> None:
    first, again = carried_twice(
        tmp_path, address, lambda: Importer(tmp_path / "store", tmp_path / "lims.sqlite").look()
    )
    assert first["created"] == again["unchanged"] == 10


@pytest.mark.parametrize("conn_id", ["pv_strange", "pv_open"])
def test_a_server_that_is_not_known_is_refused_whatever_its_connection_says(
    address, tmp_path, monkeypatch, conn_id
) -> None:
    sshfs.SSHFileSystem.clear_instance_cache()  # else a connection that was made before is used again
    (tmp_path / ".ssh" / "known_hosts").write_text("")
    monkeypatch.setenv("AIRFLOW_CONN_PV_STRANGE", os.environ["AIRFLOW_CONN_PV_DROP"])
    with pytest.raises(NetworkError, match="Host key"):
        open_store(address.replace("pv_drop", conn_id), open_path).names("in")


def test_sftp_without_a_connection_is_refused_because_no_key_would_be_checked() -> None:
    with pytest.raises(ConfigError, match="Airflow connection"):
        open_store("sftp://host/in")


def test_without_sshfs_sftp_is_refused_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PV_DROP", json.dumps({"conn_type": "sftp", "host": "127.0.0.1"}))
    monkeypatch.setitem(sys.modules, "sshfs", None)
    with pytest.raises(ConfigError, match=r"Python 3\.11 or newer"):
        open_store("sftp://pv_drop@/in", open_path)
