"""What tests of every kind need: a home of their own for ledgers, and an empty database where PostgreSQL answers."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from tests.sharing import Sharing, mixed

SERVER = os.environ.get("PV_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
_numbers = count(1)
# A busy machine, or one that measures coverage, makes examples slowly; that says nothing of the tested code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# A shell starts background jobs with SIGINT ignored, and processes of tests that are to end by it would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
gc.disable()  # until all tests are collected: what is made meanwhile stays until the end


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing | None:
    """Share the tests as :mod:`tests.sharing` says, where files are to be shared."""
    return Sharing(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix tests that wait with others where several processes run them."""
    if hasattr(config, "workerinput"):
        items[:] = mixed(items)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all modules and tests, which is most of what it would visit, and run less."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of all homes, and a home to the fixtures that many tests share; never the user's own."""
    folder = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def home(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home of its own: a client without ``ledger=`` keeps the ledger there."""
    folder = homes / f"test-{next(_numbers)}"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the URL of a database of this session's own."""
    try:
        administrator = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server answers; PV_TEST_POSTGRESQL can name one")
    name = f"pv_ledger_test_{os.getpid()}"
    administrator.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield f"{SERVER.rsplit('/', 1)[0]}/{name}"
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    administrator.close()


@pytest.fixture
def schema(postgresql) -> str:
    """Give the URL of an empty schema of this test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgresql}?options=-csearch_path%3D{name}"
