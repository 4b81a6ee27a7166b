"""A ledger that can't be used says so in words that help, without a driver's exception and without a password."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, text

from pv_testing.core.errors import LedgerError
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement, store
from pv_testing.ledger.store import Store

SECRET = "canary-123456"


def every_call(ledger: Ledger, held):
    """Give each method as a call."""
    return [
        lambda: ledger.claim("lims", "sample", [Claim("another", "a")], owner="o", lease=60),
        lambda: ledger.renew(held, 60),
        lambda: ledger.settle([Settlement(one, Result.CREATED) for one in held], owner="o"),
        lambda: ledger.quarantine("lims", "sample", [Refusal("q", "raw", "X", "x")], owner="o"),
        lambda: ledger.set_watermark("w", "1"),
        lambda: ledger.pause("lims", 5e9),
        lambda: ledger.record("sweep"),
    ]


def reads(ledger: Ledger):
    return [
        ledger.counts,
        ledger.waiting,
        ledger.verify,
        lambda: list(ledger.events()),
        lambda: ledger.watermark("w"),
        lambda: ledger.external_ids("lims", "sample", ["k"]),
    ]


def fails(call, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert SECRET not in str(caught.value)


def claimed(ledger: Ledger):
    return ledger.claim("lims", "sample", [Claim("k", "a")], owner="o", lease=60)


def limit_pages(connection, pages: int) -> None:
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_full_database_file_loses_nothing_and_recovers(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        held = claimed(ledger)
        with ledger._store.reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
        limit = {"pages": pages}
        event.listen(
            ledger._store.engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={limit['pages']}")
        )
        many = [Claim(f"k{number}", "a" * 64) for number in range(2_000)]
        fails(lambda: ledger.claim("lims", "sample", many, owner="o", lease=60), "disk is full")
        assert ledger.counts() == {("lims", "sample", "in_flight"): 1}
        limit["pages"] = 1_000_000
        assert ledger.settle([Settlement(one, Result.CREATED) for one in held], owner="o") == []
        assert ledger.verify().count == 1


LIMITED = """
import resource, sys
from pv_testing.core.errors import LedgerError
from pv_testing.ledger import Claim, Ledger
with Ledger(sys.argv[1]) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    try:
        ledger.claim("lims", "sample", [Claim(f"k{n}", "a" * 64) for n in range(5_000)], owner="o", lease=60)
    except LedgerError as error:
        print(error)
"""


def test_a_file_that_the_operating_system_will_not_let_grow(tmp_path, environment):
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, url], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    assert "can't be used: the disk" in done.stdout
    assert done.stderr == ""
    with Ledger(url) as ledger:
        assert ledger.counts() == {}


def test_a_read_only_file_can_be_read_but_nothing_is_claimed(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(f"sqlite:///{path}") as writer:
        held = claimed(writer)
        with Ledger(f"sqlite:///file:{path}?mode=ro&uri=true") as ledger:
            for call in every_call(ledger, held):
                fails(call, "read-only")
            assert ledger.counts() == {("lims", "sample", "in_flight"): 1}


@pytest.mark.parametrize(
    ("content", "words"), [(b"\x00" * 4096 + b"no database", "not an SQLite database"), (None, "folder exists")]
)
def test_a_path_that_holds_no_ledger(tmp_path, content, words):
    path = tmp_path / "ledger.sqlite" if content else tmp_path / "missing" / "ledger.sqlite"
    if content:
        path.write_bytes(b"x" * 100 + content)
    fails(lambda: Ledger(f"sqlite:///{path}"), words)


def read_everything(url: str) -> None:
    with Ledger(url) as ledger:
        for call in reads(ledger):
            call()


def test_a_damaged_file_is_named_as_such(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(f"sqlite:///{path}") as ledger:
        for number in range(50):
            ledger.record("sweep", key="k" * 500, owner=str(number))
    content = path.read_bytes()
    path.write_bytes(content[: 4096 * 2] + os.urandom(len(content) - 4096 * 2))
    fails(lambda: read_everything(f"sqlite:///{path}"), "damaged: restore .* look_first: true")


def test_a_lock_that_another_process_keeps_is_reported_after_the_wait(url):
    impatient = make_url(url)
    if impatient.drivername == "sqlite":
        impatient = impatient.update_query_dict({"timeout": "0.1"})
    else:
        impatient = impatient.update_query_dict({"options": f"{impatient.query['options']} -clock_timeout=100ms"})
    with Ledger(url) as ledger:
        other = Store(impatient.render_as_string(hide_password=False))
        with ledger._store.writing(), pytest.raises(LedgerError, match="write lock"), other.writing():
            pass
        other.close()


def test_a_server_that_is_not_there():
    fails(lambda: Ledger(f"postgresql://ana:{SECRET}@127.0.0.1:1/pv"), "127.0.0.1:1/pv.*doesn't answer")


@pytest.mark.postgres
def test_a_database_and_a_role_that_do_not_exist(postgresql):
    fails(lambda: Ledger(postgresql + "_missing"), "missing")
    unknown = make_url(postgresql).set(username="nobody_here", password=SECRET)
    fails(lambda: Ledger(unknown.render_as_string(hide_password=False)), "missing|refuses the user")


@pytest.mark.postgres
def test_a_user_without_privileges_and_an_auditor_who_may_only_read(schema):
    name = schema.rsplit("%3D", 1)[1]
    auditor = f"{schema}%20-crole%3Dpg_monitor"
    with Ledger(schema) as ledger, ledger._store.exclusive() as connection:
        connection.execute(text(f"GRANT USAGE ON SCHEMA {name} TO pg_monitor"))
    fails(lambda: Ledger(auditor), "privilege")
    with Ledger(schema) as ledger, ledger._store.exclusive() as connection:
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO pg_monitor"))
    with Ledger(auditor) as ledger:
        assert ledger.verify().count == 0
        fails(lambda: ledger.record("sweep"), "privilege")


@pytest.mark.postgres
def test_a_schema_that_does_not_exist(postgresql):
    fails(lambda: Ledger(f"{postgresql}?options=-csearch_path%3Dmissing"), "see what it says.*no schema")


class Relay:
    """A TCP relay before the database server, which can be cut, or frozen so that it still acknowledges."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.flows = threading.Event()
        self.flows.set()
        self.connect()

    def connect(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        for end in (self._listener, *self._sockets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self.flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def cut_in_the_middle(ledger: Ledger, relay: Relay) -> None:
    with ledger._store.writing() as writing:
        relay.cut()
        writing.connection.execute(text("SELECT 1"))


@pytest.mark.postgres
def test_a_server_that_goes_away_and_comes_back(schema):
    target = make_url(schema)
    relay = Relay(target.host, target.port or 5432)
    url = target.set(host="127.0.0.1", port=relay.port, password=SECRET)
    with Ledger(url.render_as_string(hide_password=False)) as ledger:
        held = claimed(ledger)
        relay.cut()
        for call in [*every_call(ledger, held), *reads(ledger)]:
            fails(call, "doesn't answer")
        relay.connect()
        assert ledger.settle([Settlement(one, Result.CREATED) for one in held], owner="o") == []
        fails(lambda: cut_in_the_middle(ledger, relay), "doesn't answer")
        relay.connect()
        assert ledger.verify().count == 1
    relay.cut()


@pytest.fixture
def relay(schema) -> Iterator[Relay]:
    target = make_url(schema)
    relay = Relay(target.host, target.port or 5432)
    yield relay
    relay.flows.set()
    relay.cut()


@pytest.fixture
def relayed(schema, relay) -> str:
    """Give the URL of a ledger behind the relay."""
    return make_url(schema).set(host="127.0.0.1", port=relay.port).render_as_string(hide_password=False)


@pytest.mark.postgres
def test_a_server_that_freezes_in_the_midst_of_a_transaction_is_not_waited_for_for_ever(relay, relayed, monkeypatch):
    monkeypatch.setattr(store, "HANGING_SECONDS", 0.5)
    with Ledger(relayed) as ledger:
        for transaction in (ledger._store.writing, ledger._store.reading):
            fails(
                lambda open_it=transaction: freeze_in_the_middle(relay, open_it), "did not answer.*no answer for 0.5 s"
            )
            relay.flows.set()
            assert ledger.counts() == {}


def freeze_in_the_middle(relay: Relay, transaction) -> None:
    with transaction() as given:
        relay.flows.clear()
        getattr(given, "connection", given).execute(text("SELECT 1"))


@pytest.mark.postgres
def test_a_server_that_freezes_at_the_commit_is_not_waited_for_for_ever(relay, relayed, monkeypatch):
    monkeypatch.setattr(store, "HANGING_SECONDS", 0.5)
    with Ledger(relayed) as ledger:

        def freeze_before_the_commit() -> None:
            with ledger._store.writing():
                relay.flows.clear()

        fails(freeze_before_the_commit, "did not answer")
        relay.flows.set()
        ledger.record("sweep")


@pytest.mark.postgres
def test_a_server_that_has_frozen_before_a_transaction_is_noticed_at_once(relay, relayed, monkeypatch):
    monkeypatch.setattr(store, "CONNECT_SECONDS", 0.5)
    with Ledger(f"{relayed}&connect_timeout=2") as ledger:
        ledger.record("sweep")
        relay.flows.clear()
        began = time.monotonic()
        fails(ledger.counts, "doesn't answer")
        assert time.monotonic() - began < 10
        relay.flows.set()
        assert ledger.verify().count == 1


@pytest.mark.postgres
def test_a_long_transaction_whose_requests_are_answered_is_left_alone(schema, monkeypatch):
    monkeypatch.setattr(store, "HANGING_SECONDS", 1)
    with Ledger(schema) as ledger, ledger._store.reading() as connection:
        for _ in range(6):
            connection.execute(text("SELECT pg_sleep(0.3)"))


@pytest.mark.postgres
def test_a_lost_server_is_noticed_by_the_operating_system_as_the_url_says(schema):
    for url, idle in ((schema, "30"), (f"{schema}&keepalives_idle=7", "7")):
        with Ledger(url) as ledger, ledger._store.reading() as connection:
            parameters = connection.connection.dbapi_connection.info.get_parameters()
            assert (parameters["keepalives"], parameters["keepalives_idle"], parameters["tcp_user_timeout"]) == (
                "1",
                idle,
                "60000",
            )


def test_no_file_is_made_beside_the_ledger_and_its_log(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        claimed(ledger)
        names = {path.name for path in Path(tmp_path).iterdir()}
    assert names <= {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
