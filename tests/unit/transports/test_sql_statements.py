"""Statements in the words of each dialect: names quoted, values bound; SQL Server and Oracle are shown only here."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite

from pv_testing.contracts.columns import TableColumn
from pv_testing.contracts.database import AFTER, LIMIT, DatabaseSpec, Statement, TableSpec
from pv_testing.core.errors import ConfigError, MappingError, SecurityError
from pv_testing.transports.sql_engine import DatabaseLogin, address
from pv_testing.transports.sql_statements import APPLOCK, Tables, who

EVIL = 'x\' OR "1"="1'
COLUMNS = {
    "NUMBER": TableColumn("NUMBER", "integer"),
    "TEXT_ID": TableColumn("TEXT_ID"),
    "MASS": TableColumn("MASS", "decimal"),
    "ENTRY_DATE": TableColumn("ENTRY_DATE", "datetime"),
}
TABLE = TableSpec("SAMPLE", COLUMNS, ("TEXT_ID",), "NUMBER")
STATEMENT = Statement("select", TABLE, ("TEXT_ID",), ("ENTRY_DATE", "NUMBER"))
DATABASE = DatabaseSpec("LIMSDATA", True, {"SAMPLE": TABLE}, {}, {})
DIALECTS = {
    "postgresql": postgresql.dialect(),
    "mariadb": mysql.dialect(),
    "sqlite": sqlite.dialect(),
    "mssql": mssql.dialect(),
    "oracle": oracle.dialect(),
}
QUOTED = {
    "postgresql": '"LIMSDATA"."SAMPLE"',
    "mariadb": "`LIMSDATA`.`SAMPLE`",
    "sqlite": '"LIMSDATA"."SAMPLE"',
    "mssql": "[LIMSDATA].[SAMPLE]",
    "oracle": '"LIMSDATA"."SAMPLE"',
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_page_is_read_by_keys_with_bound_values_and_quoted_names(name):
    asked = {
        "TEXT_ID": EVIL,
        "ENTRY_DATE >=": "2025-11-12T00:00:00Z",
        LIMIT: "100",
        AFTER: '["2025-11-13T00:00:00Z",7]',
    }
    compiled = Tables(DATABASE, DIALECTS[name]).select(STATEMENT, asked).compile(dialect=DIALECTS[name])
    text = str(compiled)
    assert EVIL not in text
    assert EVIL in compiled.params.values()
    assert QUOTED[name] in text
    assert "ORDER BY" in text
    assert 101 in compiled.params.values() or "101" in text or "POSTCOMPILE" in text


@pytest.mark.parametrize("name", DIALECTS)
def test_a_look_up_of_many_binds_every_value(name):
    keys = [{"TEXT_ID": EVIL}, {"TEXT_ID": "b"}]
    compiled = Tables(DATABASE, DIALECTS[name]).of_keys(STATEMENT, keys).compile(dialect=DIALECTS[name])
    assert {EVIL, "b"} <= set(compiled.params.values())
    assert EVIL not in str(compiled)


def test_sql_server_and_oracle_page_and_lock_in_their_own_words():
    page = Tables(DATABASE, DIALECTS["mssql"]).select(STATEMENT, {LIMIT: "5"}).compile(dialect=DIALECTS["mssql"])
    assert "SELECT TOP" in str(page)
    page = Tables(DATABASE, DIALECTS["oracle"]).select(STATEMENT, {LIMIT: "5"}).compile(dialect=DIALECTS["oracle"])
    assert "FETCH FIRST" in str(page)
    assert "sp_getapplock" in APPLOCK
    assert who("oracle") == "SELECT USER FROM DUAL"


def test_a_name_that_is_too_long_for_the_database_is_refused():
    long = "X" * 70
    table = TableSpec("SAMPLE", {long: TableColumn(long)})
    with pytest.raises(ConfigError, match="longer than postgresql takes, 63"):
        Tables(DatabaseSpec("", False, {"SAMPLE": table}, {}, {}), DIALECTS["postgresql"])


def test_a_record_without_its_key_is_refused():
    with pytest.raises(MappingError, match="key column TEXT_ID"):
        Tables(DATABASE, DIALECTS["sqlite"]).same_key(STATEMENT, {"MASS": "1"})


@pytest.mark.parametrize("wrong", ["", "db.company.com", "ftp://h/x", "redis://h/0", "postgresql://h:port/x"])
def test_what_is_no_address_of_a_database_is_refused(wrong):
    with pytest.raises(ConfigError, match="base_url"):
        address(wrong)


def test_an_address_with_credentials_is_refused_without_showing_them():
    with pytest.raises(SecurityError, match="move them") as caught:
        address("postgresql://user:hidden-0815@h/x")
    assert "hidden-0815" not in str(caught.value)
    assert "hidden-0815" not in repr(DatabaseLogin("user", "hidden-0815"))
