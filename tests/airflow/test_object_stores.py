"""Files in stores that Airflow's ``ObjectStoragePath`` opens: the memory of this process, and S3 over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

import sandbox
from demo.laboratory import connections
from hooks.ledger import LedgerHook
from hooks.object_storage import open_path
from operators.files import ImportFilesOperator
from pv_testing.contracts.imports import FileImport
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import ConfigError, NetworkError
from pv_testing.core.sync import run
from pv_testing.exchange.engine import Exchange
from pv_testing.importers.folders import Folders
from pv_testing.importers.importer import FileImporter, FileReport
from pv_testing.importers.keeping import KeepRows, imported
from pv_testing.ledger import Ledger
from pv_testing.transports.files.remote_store import RemoteStore
from pv_testing.transports.files.store import FileStore, open_store
from sandbox.importer import Importer
from tests.airflow.home import connect
from tests.airflow.stores import carried_twice, does_what_a_folder_does, with_imports

CONTEXT = {"ti": SimpleNamespace(dag_id="pv_files", run_id="run-1", task_id="step", map_index=-1, try_number=1)}
MISSING = "S3 isn't tried here: moto[server], s3fs and apache-airflow-providers-amazon aren't installed together"
ROWS = b"SN,V\nSN1,1.50\nSN2,x\nSN3,3.0\n"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Serve S3 on loopback, and give its address."""
    server = pytest.importorskip("moto.server", reason=MISSING)
    for name in ("s3fs", "airflow.providers.amazon.aws.fs.s3"):
        pytest.importorskip(name, reason=MISSING)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3_address(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    connection = {"conn_type": "aws", "login": "key-of-tests", "password": "word-of-tests"}
    more = {"extra": {"endpoint_url": s3, "region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_PV_STORE", json.dumps({**connection, **more}))
    bucket = f"lab-{uuid4().hex[:8]}"
    open_path("s3://pv_store@any").fs.mkdir(bucket)
    return f"s3://pv_store@{bucket}/exchange"


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3_address"))
    attach("memory", fs=MemoryFileSystem())
    return f"memory://{uuid4().hex}"


@pytest.fixture
def store(address: str) -> FileStore:
    return open_store(address, open_path)


def names(store: FileStore, folder: str) -> list[str]:
    return [each.name for each in store.names(folder)]


def test_a_store_does_what_a_folder_does(store: FileStore) -> None:
    does_what_a_folder_does(store)


def test_files_of_a_watched_folder_are_imported(
    store: FileStore, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox.serve() as running:
        connect(monkeypatch, with_imports(connections(running), tmp_path, address))
        store.write("in", "a.csv", ROWS)
        (report,) = ImportFilesOperator(task_id="import", system="lims").execute(CONTEXT)
        store.write("in", "again.csv", ROWS)
        (again,) = ImportFilesOperator(task_id="import", system="lims").execute(CONTEXT)
    digest = sha256(ROWS).hexdigest()
    assert report["rows"] == {"created": 2, "quarantined": 1}
    assert again["rows"] == {"unchanged": 2, "quarantined": 1}
    with LedgerHook().get_conn() as ledger:
        assert sorted(key for key, _ in imported(ledger, "lims", "results")) == ["SN1", "SN3"]
    assert names(store, "in/archive") == [f"{digest}.csv"]
    assert store.read("in/archive", f"{digest}.csv", 1000) == ROWS
    assert names(store, "in") == names(store, "in/claimed") == []
    assert report["rejected"] == store.where("in/rejected", f"a.{digest[:8]}.rejected.csv")
    heading, row = store.read("in/rejected", f"a.{digest[:8]}.rejected.csv", 1000).decode().splitlines()
    assert heading == "SN,V,_row,_column,_code,_reason"
    assert row.startswith("SN2,x,3,V,")


class Taken(RemoteStore):
    """A store in which another run has a file at the same time, and is done with it sooner."""

    def read(self, folder: str, name: str, most: int) -> bytes:
        self.delete(folder, name)
        return super().read(folder, name, most)


def test_a_file_that_another_run_has_imported_meanwhile_is_left_to_it(address: str, tmp_path: Path) -> None:
    store = Taken(open_path(address))
    store.write("in", "a.csv", ROWS)
    how = lims_import(tmp_path)
    assert Folders(store, how).dropped() == ["a.csv"]
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        assert take(how, store, ledger) == []


def lims_import(folder: Path) -> FileImport:
    contract = json.loads(with_imports({"pv_lims": "{}"}, folder, "")["pv_lims"])["extra"]["contract"]
    return load_contract(Path(contract)).imports["results"]


def take(how: FileImport, store: FileStore, ledger: Ledger) -> list[FileReport]:
    exchange = Exchange(KeepRows(ledger, "lims", "results"), ledger, owner="test")
    return run(FileImporter(how, store, exchange.arun).run())


def test_records_are_dropped_and_answered(store: FileStore, address: str, tmp_path: Path) -> None:
    """The LIMS of this test has a folder of its own; what lies in one place is brought to the other."""
    (tmp_path / "lims").mkdir()
    own = open_store(str(tmp_path / "lims"))

    def look() -> None:
        bring(store, own, "import")
        Importer(tmp_path / "lims", tmp_path / "lims.sqlite").look()
        bring(own, store, "answers")

    first, again = carried_twice(tmp_path, address, look)
    assert first["created"] == again["unchanged"] == 10
    assert names(store, "import") == []


def bring(one: FileStore, other: FileStore, folder: str) -> None:
    """Bring the files of a folder from one store to another."""
    for name in names(one, folder):
        other.write(folder, name, one.read(folder, name, 1 << 20))
        one.delete(folder, name)


def test_a_bucket_that_is_not_there_is_an_error_and_is_not_made(s3_address: str) -> None:
    store = open_store(s3_address.replace("@lab-", "@lba-"), open_path)
    for asked in (
        lambda: store.names("in"),
        lambda: store.write("in", "a.csv", b"1"),
        lambda: store.read("in", "a.csv", 10),
    ):
        with pytest.raises(NetworkError, match="isn't there"):
            asked()


def test_what_other_programs_write_is_seen_at_once(s3_address: str) -> None:
    store, other = open_store(s3_address, open_path), open_path(s3_address).fs
    store.write("in", "a.csv", b"1")
    assert names(store, "in") == ["a.csv"]
    place = s3_address.rpartition("@")[2]
    other.call_s3("put_object", Bucket=place.partition("/")[0], Key="exchange/in/b.csv", Body=b"22")
    assert names(store, "in") == ["a.csv", "b.csv"]
    assert store.read("in", "b.csv", 10) == b"22"


@pytest.mark.parametrize("scheme", ["sftp", "ssh"])
def test_without_its_provider_sftp_is_refused_by_its_name_and_the_python_that_it_needs(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow.sdk.io.fs._register_filesystems", lambda: {"file": None})
    with pytest.raises(ConfigError, match=r"Python 3\.11 or newer.*apache-airflow-providers-sftp\[sshfs\]") as caught:
        open_store(f"{scheme}://pv_drop@/in", open_path)
    assert caught.value.code == "STORE_UNUSABLE"
