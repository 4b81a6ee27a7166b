"""A connection of Airflow's own database types gives address and credentials of a system that is a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk import Connection

from hooks.database import as_system
from hooks.lims import LIMSHook
from sandbox.lims_database import SAMPLE, LimsDatabase
from tests.integration import databases

SAMPLES = {"external_id": "SN001", "project_id": "SR-1", "sample_type": "PV Module", "customer": "Helios"}
TYPES = {"sqlite": "sqlite", "postgresql": "postgres", "mariadb": "mysql"}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"])
def test_a_hook_reaches_the_database_of_a_connection(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = databases.brief_contract(tmp_path)
    configuration = tmp_path / "integrations.yaml"
    configuration.write_text(f"lims: {{provider: SQL, contract: {contract}, connection: lims_db}}\n", encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(configuration))
    with databases.place(kind, tmp_path) as place:
        given = {"conn_type": TYPES[kind], "login": place.login.get("username", "")}
        if kind == "sqlite":
            given["host"] = str(tmp_path / "lims.sqlite")
        else:
            given |= {"host": "127.0.0.1", "port": place.port, "schema": place.base_url.rpartition("/")[2]}
        monkeypatch.setenv("AIRFLOW_CONN_LIMS_DB", json.dumps(given))
        with LIMSHook("lims_db").get_client() as lims:
            assert lims.create_sample(**SAMPLES)["id"] == "1"
        passed, message = LIMSHook("lims_db").test_connection()
        with LimsDatabase(place.admin) as database:
            assert len(database.rows(SAMPLE)) == 1
    assert passed, message


def test_only_certificates_of_the_extra_fields_count() -> None:
    extra = json.dumps({"sslmode": "disable", "sslrootcert": "/ca.pem", "cursor": "dictcursor"})
    made = Connection(
        conn_id="x", conn_type="postgres", host="db", login="u", password="hidden-0815", schema="s", extra=extra
    )
    read = as_system(made)
    assert (read.host, read.login, read.password) == ("postgresql://db/s", "u", "hidden-0815")
    assert read.extra_dejson == {"auth_type": "basic", "username": "u", "ca_cert": "/ca.pem"}


def test_a_connection_of_no_database_is_left_alone() -> None:
    made = Connection(conn_id="x", conn_type="pv_lims", host="https://lims.company.com")
    assert as_system(made) is made
