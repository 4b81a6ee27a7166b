"""What a LIMS writes is read once, however late it is committed within the overlap."""

from __future__ import annotations

import random
import threading
import time

import pytest
import sqlalchemy as sa

from pv_testing.core.errors import ConfigError
from pv_testing.integrations.changed_rows import ChangedRows
from pv_testing.ledger import Ledger
from sandbox.lims_database import RESULT, SAMPLE, TEST, LimsDatabase, now
from tests.integration import databases

OVERLAP = ("overlap: 900", "overlap: 3")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "mariadb"])
def place(request, tmp_path):
    with databases.place(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def database(place):
    with LimsDatabase(place.admin) as opened:
        sample = opened.insert(SAMPLE, TEXT_ID="S", PROJECT="P", CUSTOMER="C", STATUS="I")
        opened.insert(TEST, SAMPLE_NUMBER=sample, EXECUTION="E", REVISION=1, STATUS="C")
        yield opened


@pytest.fixture
def lims(place, tmp_path):
    contract = databases.brief_contract(tmp_path, OVERLAP)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger, place.client(contract, ledger) as client:
        yield client


def result(name: str) -> dict[str, object]:
    return {"TEST_NUMBER": 1, "NAME": name, "FORMATTED_RESULT": "1"}


def taken(changes: ChangedRows) -> list[str]:
    changed = changes.read()
    changes.keep(changed)
    return [row["NAME"] for row in changed.rows]


def test_a_row_comes_once_and_again_with_another_content(lims, database):
    changes = ChangedRows(lims, "get_changed_results")
    assert taken(changes) == []
    with database.entering(result("a"), result("b")):
        pass
    assert sorted(taken(changes)) == ["a", "b"]
    assert taken(changes) == []
    with database.engine.begin() as connection:
        connection.execute(sa.update(RESULT).where(RESULT.c.NAME == "b").values(FORMATTED_RESULT="2", ENTRY_DATE=now()))
    assert taken(ChangedRows(lims, "get_changed_results")) == ["b"]


def test_what_was_not_kept_comes_again(lims, database):
    changes = ChangedRows(lims, "get_changed_results")
    with database.entering(result("a")):
        pass
    assert [row["NAME"] for row in changes.read().rows] == ["a"]
    assert taken(changes) == ["a"]
    assert taken(changes) == []


def test_a_commit_within_the_overlap_is_not_lost_and_one_beyond_it_is(lims, database):
    changes = ChangedRows(lims, "get_changed_results")
    with database.entering(result("newest")):
        pass
    assert taken(changes) == ["newest"]
    with database.entering(result("late"), ago=2):
        pass
    with database.entering(result("too late"), ago=30):
        pass
    assert taken(changes) == ["late"]


def test_a_date_in_the_future_hides_nothing(lims, database):
    changes = ChangedRows(lims, "get_changed_results")
    with database.entering(result("future"), ago=-3600):
        pass
    assert taken(changes) == ["future"]
    with database.entering(result("now")):
        pass
    assert taken(changes) == ["now"]


def test_late_commits_of_many_writers_are_all_read_and_none_twice(place, lims, database):
    if not place.port:
        pytest.skip("a file has one writer at a time")
    given: list[str] = []
    done = threading.Event()

    def write(number: int) -> None:
        chance = random.Random(number)
        for each in range(12):
            with database.entering(result(f"{number}/{each}")):
                time.sleep(chance.uniform(0, 0.6))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    changes = ChangedRows(lims, "get_changed_results")
    for writer in writers:
        writer.start()
    while not done.is_set():
        if not any(writer.is_alive() for writer in writers):
            done.set()
        given += taken(changes)
        time.sleep(0.05)
    assert sorted(given) == sorted(f"{number}/{each}" for number in range(5) for each in range(12))


def test_a_listing_without_changes_is_refused(lims):
    with pytest.raises(ConfigError, match="says no `changes`") as caught:
        ChangedRows(lims, "get_samples")
    assert caught.value.code == "NO_CHANGES"
