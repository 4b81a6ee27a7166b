"""Database servers of the tests' own: TLS is verified, and one that stands still holds nobody for ever."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pymysql
import pytest

from pv_testing.core.errors import IntegrationError, SecurityError
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from sandbox.lims_database import SAMPLE, LimsDatabase
from tests.integration import databases
from tests.unit.ledger.private_server import Server, free_port
from tests.unit.transports.certificates import Authority

SAMPLES = [{"external_id": "SN1", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}]


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Give an authority whose files a server may read that runs as another user."""
    with tempfile.TemporaryDirectory(prefix="pv-certificates-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Authority(Path(name), "Laboratory")


@pytest.fixture(scope="module")
def files(authority):
    made = authority.issue("database")
    if os.geteuid() == 0:
        shutil.chown(made.key, "postgres")
    Path(made.key).chmod(0o600)
    return made


@pytest.fixture(scope="module")
def postgresql_server(files):
    options = {"ssl": "on", "ssl_cert_file": f"'{files.certificate}'", "ssl_key_file": f"'{files.key}'"}
    with Server(**options) as server, LimsDatabase(server.url.replace("postgresql:", "postgresql+psycopg:")):
        yield server


@pytest.fixture(scope="module")
def mariadb_port(files, tmp_path_factory):
    """Give the port of a MariaDB server with TLS."""
    install = shutil.which("mariadb-install-db")
    if not install or not shutil.which("mariadbd"):
        pytest.skip("no MariaDB server's programs; the package mariadb-server has them")
    home, port = tmp_path_factory.mktemp("mariadb"), free_port()
    key = home / "key.pem"
    shutil.copy(files.key, key)
    user = [f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', '')}"]
    plain = ["--no-defaults", f"--datadir={home / 'data'}", f"--tmpdir={home}"]
    command = [install, *plain, *user, "--auth-root-authentication-method=normal"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
    tls = [f"--ssl-cert={files.certificate}", f"--ssl-key={key}"]
    place = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={home / 'socket'}", "--innodb-flush-method=fsync"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(["mariadbd", *plain, *user, *place, *tls], stdout=log, stderr=log)
    try:
        for _ in range(100):
            try:
                pymysql.connect(host="127.0.0.1", port=port, user="root").close()
                break
            except pymysql.err.OperationalError:
                time.sleep(0.2)
        link = pymysql.connect(host="127.0.0.1", port=port, user="root")
        with link.cursor() as cursor:
            cursor.execute("CREATE DATABASE lims")
        link.close()
        with LimsDatabase(f"mariadb+pymysql://root@127.0.0.1:{port}/lims"):
            yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(params=["postgresql", "mariadb"])
def address(request) -> tuple[str, str]:
    """Give the address of a server with TLS, and the user."""
    if request.param == "mariadb":
        return f"mariadb://127.0.0.1:{request.getfixturevalue('mariadb_port')}/lims", "root"
    return f"postgresql://127.0.0.1:{request.getfixturevalue('postgresql_server').port}/postgres", "postgres"


def client(address, contract, ledger, **other) -> LIMSClient:
    url, user = address
    return LIMSClient(url, contract=str(contract), ledger=ledger, auth_type="none", username=user, **other)


def test_a_server_is_verified_by_the_authority_that_is_named(address, authority, tmp_path):
    contract = databases.brief_contract(tmp_path)
    with Ledger.in_memory(quiet=True) as ledger, client(address, contract, ledger, ca_cert=authority.file) as lims:
        assert lims.create_sample(**SAMPLES[0])["id"]
        session = lims._providers[next(iter(lims._providers))].session
        with session._wire._engine.connect() as connection:
            ask = {
                "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                "mysql": "SELECT @@version <> '' AND VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS "
                "WHERE VARIABLE_NAME = 'Ssl_cipher'",
            }
            name = "postgresql" if connection.dialect.name == "postgresql" else "mysql"
            assert connection.exec_driver_sql(ask[name]).scalar()


def test_a_server_that_a_stranger_vouches_for_is_refused(address, tmp_path):
    stranger = Authority(tmp_path, "Stranger")
    contract = databases.brief_contract(tmp_path)
    with (
        Ledger.in_memory(quiet=True) as ledger,
        client(address, contract, ledger, ca_cert=stranger.file) as lims,
        pytest.raises(SecurityError, match="TLS") as caught,
    ):
        lims.identity()
    assert caught.value.code == "CERTIFICATE_UNTRUSTED"


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"])
def test_a_server_without_tls_is_refused_where_it_is_wanted(kind, authority, tmp_path):
    contract = databases.brief_contract(tmp_path)
    with (
        databases.place(kind, tmp_path) as place,
        Ledger.in_memory(quiet=True) as ledger,
        place.client(contract, ledger, ca_cert=authority.file) as lims,
        pytest.raises(SecurityError, match=r"TLS|SSL"),
    ):
        lims.identity()


def test_a_statement_that_takes_too_long_is_ended_by_the_server(postgresql_server, tmp_path):
    with LimsDatabase(postgresql_server.url.replace("postgresql:", "postgresql+psycopg:")) as database:
        before = len(database.rows(SAMPLE))
        with psycopg.connect(postgresql_server.url) as holder:
            holder.execute('LOCK TABLE "SAMPLE" IN EXCLUSIVE MODE')
            address = f"postgresql://127.0.0.1:{postgresql_server.port}/postgres", "postgres"
            began = time.monotonic()
            with (
                Ledger.in_memory(quiet=True) as ledger,
                client(address, databases.brief_contract(tmp_path), ledger) as lims,
            ):
                report = lims.create_samples([{**SAMPLES[0], "external_id": "LATE"}])
            assert time.monotonic() - began < 30
        assert report.error is not None
        assert report.outcomes[0].code == "NOT_SENT"
        assert len(database.rows(SAMPLE)) == before


def test_a_server_that_stands_still_holds_nobody_for_ever(postgresql_server, tmp_path):
    address = f"postgresql://127.0.0.1:{postgresql_server.port}/postgres", "postgres"
    with (
        Ledger.in_memory(quiet=True) as ledger,
        client(address, databases.brief_contract(tmp_path), ledger) as lims,
    ):
        lims.identity()
        with psycopg.connect(postgresql_server.url, autocommit=True) as link:
            asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pv_testing lims'"
            pids = [pid for (pid,) in link.execute(asked).fetchall()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        awake = threading.Timer(25, lambda: [os.kill(pid, signal.SIGCONT) for pid in pids])
        awake.start()
        began = time.monotonic()
        try:
            with pytest.raises(IntegrationError, match=r"did not answer in time|lost"):
                lims.call("get_sample", sample_id=1)
            assert time.monotonic() - began < 20
        finally:
            awake.cancel()
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
