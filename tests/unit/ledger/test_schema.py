"""The tables are made and migrated by whoever opens the ledger first, however many come at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from pv_testing.core.errors import ConfigError, IntegrationError, LedgerError
from pv_testing.ledger import Claim, Ledger, schema
from pv_testing.ledger.schema import VERSION, VERSION_TABLE
from pv_testing.ledger.store import Store, parse
from pv_testing.ledger.tables import metadata


def test_the_migrations_make_exactly_the_tables_that_the_code_speaks_of(ledger):
    with ledger._store.reading() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert differences == []


def test_the_version_that_the_code_expects_is_that_of_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", "pv_testing.ledger:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [VERSION]


SHAPE = {
    "sqlite": ["SELECT type, name, sql FROM sqlite_master"],
    "postgresql": [
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace
        """,
        """
        SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        WHERE relnamespace = current_schema()::regnamespace
        """,
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
        """
        SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = current_schema()
        """,
    ],
}


def shape(url: str) -> list[list[str]]:
    """Return what the database says of its tables, and the rows that a new ledger has."""
    store = Store(url)
    queries = [*SHAPE[store.engine.dialect.name], "SELECT * FROM ledger_head", f"SELECT * FROM {VERSION_TABLE}"]
    with store.reading() as connection:
        rows = [sorted(str(row) for row in connection.execute(text(query))) for query in queries]
    store.close()
    return rows


def empty(url: str) -> None:
    store = Store(url)
    if store.sqlite:
        Path(str(store.engine.url.database)).unlink()
    else:
        with store.exclusive() as connection:
            name = connection.scalar(text("SELECT current_schema()"))
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
            connection.execute(text(f"CREATE SCHEMA {name}"))
    store.close()


def test_the_second_new_ledger_of_a_process_is_made_as_the_migrations_made_the_first(url, monkeypatch):
    monkeypatch.setattr(schema, "_STATEMENTS", {})
    Ledger(url).close()
    migrated = shape(url)
    assert len(schema._STATEMENTS) == 1
    empty(url)
    monkeypatch.setattr(schema, "_migrate", lambda *_: pytest.fail("Alembic runs again"))
    Ledger(url).close()
    assert all(migrated)
    assert shape(url) == migrated


def test_a_database_whose_version_was_lost_is_no_model_for_a_new_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "_STATEMENTS", {})
    lost = tmp_path / "lost.sqlite"
    with closing(sqlite3.connect(lost)) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    Ledger(f"sqlite:///{lost}").close()
    new = f"sqlite:///{tmp_path / 'new.sqlite'}"
    with Ledger(new) as ledger:
        ledger.verify()
    Ledger(f"sqlite:///{tmp_path / 'another.sqlite'}").close()
    assert shape(f"sqlite:///{tmp_path / 'another.sqlite'}") == shape(new)


def test_a_ledger_that_is_opened_again_has_what_it_had(url):
    with Ledger(url) as ledger:
        ledger.claim("lims", "sample", [Claim("k", "a")], owner="o", lease=60)
    with Ledger(url) as ledger:
        assert ledger.counts() == {("lims", "sample", "in_flight"): 1}


def test_a_ledger_of_a_newer_release_is_left_alone(url):
    Ledger(url).close()
    store = Store(url)
    with store.exclusive() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    store.close()
    with pytest.raises(LedgerError, match="newer release"):
        Ledger(url)


def test_many_threads_open_a_new_ledger_at_once(url):
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Ledger(url) as ledger:
                ledger.record("opened")
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Ledger(url) as ledger:
        assert ledger.verify().count == 6


def test_a_new_file_that_another_program_is_writing_to_is_waited_for(tmp_path):
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE elsewhere (x)")
    other.execute("BEGIN IMMEDIATE")
    opened: list[Ledger] = []
    opening = threading.Thread(target=lambda: opened.append(Ledger(f"sqlite:///{path}")))
    opening.start()
    opening.join(0.1)
    assert opening.is_alive()
    other.execute("COMMIT")
    opening.join()
    other.close()
    assert opened[0].verify().count == 0
    opened[0].close()


OPEN = """
import sys
from pv_testing.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger(sys.argv[1]) as ledger:
    ledger.record("opened")
"""


def test_many_processes_open_a_new_ledger_at_once(url, environment):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(5)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [(process.returncode, words) for process, words in zip(processes, errors, strict=True)] == [(0, "")] * 5
    with Ledger(url) as ledger:
        assert ledger.verify().count == 5


def test_a_file_is_durable_and_can_be_read_while_it_is_written(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger, ledger._store.reading() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
        assert connection.scalar(text("PRAGMA busy_timeout")) == 30_000


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
        ("sqlite:////srv/x.sqlite", "sqlite"),
        ("sqlite://", "sqlite"),
    ],
)
def test_the_urls_that_people_have_are_understood(given, driver):
    assert parse(given).drivername == driver


@pytest.mark.parametrize(
    "given", ["", "/srv/x.sqlite", "mysql://u:canary-1@h/d", "postgresql+asyncpg://u:canary-1@h/d"]
)
def test_other_urls_are_refused_without_their_password(given):
    with pytest.raises(ConfigError) as caught:
        Ledger(given)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://pv:canary-123456@db:fivethousand/pv",
        "postgresql://pv:canary-123456@db:5432x/pv",
        "postgresql://pv:canary-123456/word@db:5432/pv",
        "postgresql://pv:canary-123456@[::1/pv",
        "postgresql://pv:canary-123456@db/pv?connect_timeout=soon",
        "postgresql://pv:canary-123456@db/pv?keepalives_idle=5&keepalives_idle=6",
        "postgresql://pv:canary-123456@db/pv?port=x",
        "postgresql://pv:canary-123456@127.0.0.1:99999/pv",
        "sqlite:///ledger.sqlite?timeout=soon",
        "sqlite:///ledger.sqlite?check_same_thread=perhaps",
        "sqlite://host/ledger.sqlite",
        "canary-123456",
        "",
    ],
)
def test_an_address_that_is_none_is_a_matter_of_configuration(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IntegrationError) as caught:
        Ledger(url)
    assert caught.value.code in {"CONFIG", "LEDGER"}
    assert caught.value.__cause__ is None
    assert "ledger" in str(caught.value)
    assert "canary" not in str(caught.value)
