"""Statements of many rows write what a statement a row writes, in any number, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pv_testing.core.errors import LedgerError
from pv_testing.ledger import batches
from pv_testing.ledger.batches import BATCH, change, insertion, many
from pv_testing.ledger.store import Store

ADD = insertion("thing", ("area", "key", "state", "number"))
ADD_NEW = insertion("thing", ("area", "key", "state", "number"), "ON CONFLICT DO NOTHING")
CHANGE = change("thing", ("state", "number"), ("area", "key"))
COUNTS = (1, 2, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 5)


@pytest.fixture
def store(url) -> Iterator[Store]:
    """Give a database with an empty table."""
    store = Store(url)
    with store.exclusive() as connection:
        connection.execute(text("CREATE TABLE thing (area TEXT, key TEXT, state TEXT, number INT, UNIQUE (area, key))"))
    yield store
    store.close()


@pytest.fixture(params=["this SQLite", "an SQLite before 3.33"])
def updates_from_lists(request, monkeypatch) -> None:
    if request.param != "this SQLite":
        monkeypatch.setattr(batches, "_UPDATES_FROM_LISTS", False)


def rows(store: Store) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM thing ORDER BY number")).all()]


def things(count: int, state: str = "new") -> list[tuple[object, ...]]:
    return [("a", f"key {number}", state, number) for number in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_each_row_is_added_once(store, updates_from_lists, count):
    with store.exclusive() as connection:
        assert many(connection, ADD, things(count)) == count
    assert rows(store) == things(count)


@pytest.mark.parametrize("count", COUNTS)
def test_rows_that_are_there_are_left_alone_and_not_counted(store, updates_from_lists, count):
    with store.exclusive() as connection:
        many(connection, ADD, things(1, "older"))
        assert many(connection, ADD_NEW, things(count)) == count - 1
    assert rows(store) == [*things(1, "older"), *things(count)[1:]]


@pytest.mark.parametrize("count", COUNTS)
def test_each_row_gets_its_own_values_and_no_other_row_is_changed(store, updates_from_lists, count):
    with store.exclusive() as connection:
        many(connection, ADD, [*things(count), ("b", "key 0", "other", count)])
        changes = [(f"state {number}", number, "a", f"key {number}") for number in range(count)]
        assert many(connection, CHANGE, [*changes, ("lost", 0, "a", "unknown")]) == count
    wanted = [("a", f"key {number}", f"state {number}", number) for number in range(count)]
    assert rows(store) == [*wanted, ("b", "key 0", "other", count)]


def test_a_row_that_the_database_refuses_leaves_none_of_the_transaction(store, updates_from_lists):
    with pytest.raises((IntegrityError, LedgerError)), store.exclusive() as connection:
        many(connection, ADD, [*things(BATCH), ("a", "key 0", "again", 1)])
    assert rows(store) == []


def test_no_rows_are_no_statement(store):
    with store.exclusive() as connection:
        assert many(connection, ADD, []) == 0
