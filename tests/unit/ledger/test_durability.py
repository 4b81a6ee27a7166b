"""What the ledger says is settled is on the disk, however the server and its roles are set."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text

from pv_testing.cli.check import check
from pv_testing.core.errors import LedgerError
from pv_testing.ledger import Ledger, State
from pv_testing.ledger.store import Store
from tests.unit.ledger.private_server import Server

pytestmark = pytest.mark.postgres

WRITER = """
import itertools, sys
from pv_testing.core.errors import LedgerError
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement
ledger = Ledger(sys.argv[1])
try:
    for batch in itertools.count():
        claims = [Claim(f"k{batch}-{n}", "a") for n in range(20)]
        claimed = ledger.claim("lims", "sample", claims, owner="o", lease=60)
        ledger.settle([Settlement(one, Result.CREATED, f"LIM-{one.key}") for one in claimed], owner="o")
        print(batch, flush=True)
except LedgerError as error:
    print(error, file=sys.stderr)
"""
BATCHES = 40


@pytest.fixture(scope="module")
def careless() -> Iterator[Server]:
    """Give a server that is set to answer before anything is on its disk, and to be slow in writing it."""
    with Server(synchronous_commit="off", checkpoint_timeout="'1h'") as server:
        yield server


def settle_and_crash(server: Server, url: str, environment: dict[str, str]) -> int:
    """Settle batches until the server dies in the midst of them; return how many settled records are lost."""
    Ledger(url).close()
    server.delay_log()
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    lines = [process.stdout.readline() for _ in range(BATCHES)]
    assert lines[-1], f"the server has not crashed yet, and the writer ends: {process.communicate(timeout=60)[1]}"
    acknowledged = [int(line) for line in lines]
    server.crash()
    acknowledged += [int(line) for line in process.communicate(timeout=60)[0].split()]
    server.start()
    with Ledger(url) as ledger:
        kept = {entry.key for entry in ledger.entries(states=[State.CONFIRMED])}
        ledger.verify()
    settled = {f"k{batch}-{number}" for batch in acknowledged for number in range(20)}
    lost = len(settled - kept)
    print(f"{lost} of {len(settled)} settled records are lost")
    return lost


def test_nothing_that_is_settled_is_lost_with_a_server_set_to_forget(careless, environment):
    assert settle_and_crash(careless, careless.url, environment) == 0


def test_nothing_is_lost_where_the_url_itself_asks_for_less(careless, environment):
    careless.execute("CREATE SCHEMA asked")
    options = "-c search_path=asked -c synchronous_commit=off"
    url = make_url(careless.url).update_query_dict({"options": options}).render_as_string(hide_password=False)
    assert settle_and_crash(careless, url, environment) == 0


def committing(store: Store) -> str:
    with store.writing() as writing:
        return str(writing.connection.scalar(text("SHOW synchronous_commit")))


@pytest.mark.parametrize(
    "careless_default",
    ["ALTER ROLE postgres SET synchronous_commit = off", "ALTER DATABASE postgres SET synchronous_commit = local"],
)
def test_no_default_of_role_or_database_weakens_a_session(careless, careless_default):
    careless.execute(careless_default)
    store = Store(careless.url)
    assert committing(store) == "on"
    store.close()


def test_a_session_that_has_lost_the_setting_has_it_again_in_every_transaction(careless):
    """As behind a pooler, which resets a session or gives a transaction to another one."""
    store = Store(careless.url)
    for _ in range(8):  # a driver prepares what it is asked often
        with store.engine.begin() as connection:
            connection.execute(text("SET synchronous_commit = off"))
        assert committing(store) == "on"
    store.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_force_its_log_to_the_disk_is_refused(setting, tmp_path):
    with Server(**{setting: "off"}) as server:
        with pytest.raises(LedgerError, match=f"{setting} off.*postgresql.conf") as caught:
            Ledger(server.url)
        assert caught.value.code == "LEDGER_UNSAFE"
        config = tmp_path / "integrations.yaml"
        config.write_text(f"ledger: {{url: '{server.url}'}}\n")
        (result,) = [each for each in check(config) if each.subject == "ledger"]
        assert f"{setting} off" in result.message
        assert not result.passed
        server.execute(f"ALTER SYSTEM SET {setting} = on")
        server.crash()
        server.start()
        with Ledger(server.url) as ledger:
            assert ledger.verify().count == 0
        (result,) = [each for each in check(config) if each.subject == "ledger"]
        assert (
            str(result)
            == f"ok      ledger: PostgreSQL at 127.0.0.1:{server.port}/postgres, which forces each commit to its disk"
        )
