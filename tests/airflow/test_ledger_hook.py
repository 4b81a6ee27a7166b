"""The ledger's connection: a file in the Airflow home where nothing is said, PostgreSQL where a host is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hooks.ledger import LedgerHook
from pv_testing.core.errors import ConfigError


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


def connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PV_LEDGER", json.dumps({"conn_type": "pv_ledger", **fields}))


def test_without_a_connection_the_ledger_is_a_file_in_the_airflow_home(home: Path) -> None:
    with LedgerHook().get_conn() as ledger:
        assert ledger.waiting() == []
    assert (home / "pv_ledger.sqlite").exists()


def test_a_connection_that_was_named_must_exist() -> None:
    with pytest.raises(ConfigError, match="there is no Airflow connection 'pv_ledger_of_another_lab'"):
        LedgerHook("pv_ledger_of_another_lab").url()


def test_a_path_may_be_relative_to_the_airflow_home_or_absolute(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    connect(monkeypatch, extra={"path": "lab.sqlite"})
    assert LedgerHook().url() == f"sqlite:///{home}/lab.sqlite"
    connect(monkeypatch, extra={"path": str(tmp_path / "elsewhere.sqlite")})
    assert LedgerHook().url() == f"sqlite:///{tmp_path}/elsewhere.sqlite"


def test_a_host_means_postgresql_and_special_characters_survive(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"host": "db.lab", "port": 5433, "schema": "ledger", "login": "pv", "password": "p@ss/w:rd%"}
    connect(monkeypatch, **fields, extra={"sslmode": "verify-full"})
    assert LedgerHook().url() == ("postgresql+psycopg://pv:p%40ss%2Fw%3Ard%25@db.lab:5433/ledger?sslmode=verify-full")


def test_the_test_button_counts_what_waits_or_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert LedgerHook().test_connection() == (True, "The ledger can be read; 0 records wait for a person.")
    connect(monkeypatch, extra={"path": str(home / "absent" / "ledger.sqlite")})
    works, message = LedgerHook().test_connection()
    assert not works
    assert message
