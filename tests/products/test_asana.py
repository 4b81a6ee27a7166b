"""The documented traps of Asana: whole minutes, tokens that expire, batches, keys by OAuth only, told followers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv_testing.core.errors import ConfigError, PermissionDenied
from pv_testing.ledger import Ledger
from pv_testing.providers.asana.rounding import Allotted, allot
from sandbox.products import asana
from tests.products.pm import client, task

BATCH = "POST /api/1.0/batch"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.in_memory() as opened:
        yield opened


HOURS = st.integers(1, 2_000).map(lambda hundredths: str(Decimal(hundredths) / 100))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), HOURS), max_size=20))
def test_the_sum_of_whole_minutes_is_exact_to_half_a_minute(entries):
    kept: Allotted = {}
    for key, hours in entries:
        kept = allot(kept, key, hours)
        assert allot(kept, key, hours) == kept
        assert all(int(minutes) >= 0 for _, minutes in kept.values())
    if len(dict(entries)) == len(entries):
        exact = sum((Decimal(hours) for hours, _ in kept.values()), Decimal(0)) * 60
        whole = exact.quantize(Decimal(1), ROUND_HALF_UP)
        assert sum(int(minutes) for _, minutes in kept.values()) == whole


def test_hours_show_how_they_were_rounded_and_keep_their_sum(tmp_path, ledger):
    with asana.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        parent = pm.create_task(**task(1))["id"]
        for number in range(3):
            pm.log_time_entry(
                parent, "jane.doe@lab.example", "2025-11-20", 0.33, "Executed", execution_id=f"567{number}"
            )
        rows = there.rows("time_entry")
        assert {row["key"]: row["minutes"] for row in rows} == {"5670": 20, "5671": 20, "5672": 19}  # 59.4 in all
        assert rows[0]["notes"].splitlines() == [
            "Executed",
            "By jane.doe@lab.example",
            "0.33 h on 2025-11-20 (19.8 min), entered as 20 min; the sum of the task's entries is exact to the minute",
            "Key: 5670",
        ]
        pm.log_time_entry(parent, "jane.doe@lab.example", "2025-11-20", 2, "Executed", execution_id="5670")
        assert {row["key"]: row["minutes"] for row in there.rows("time_entry")}["5670"] == 121  # 159.6 in all
        found = pm.find_time_entry("5670")
        assert found is not None
        assert (found["hours"], found["minutes"]) == (2.0, 121)


def test_ten_tasks_travel_in_one_request_and_a_partial_answer_doubles_nothing(tmp_path, ledger):
    with asana.serve(tmp_path, ["partial_batch", "shuffled_batch"]) as there, client(there, tmp_path, ledger) as pm:
        report = pm.create_tasks([task(number) for number in range(12)])
        assert report.counts()["created"] + report.counts()["adopted"] == 12
        there_now = [row["key"] for row in there.rows("task")]
        assert sorted(there_now) == sorted(outcome.key for outcome in report.outcomes)
        for outcome in report.outcomes:
            assert there.task(outcome.external_id, oauth=True)["external"]["gid"] == outcome.key


def test_a_listing_whose_token_expires_is_read_anew(tmp_path, ledger):
    with asana.serve_personal(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        pm.create_tasks([task(number) for number in range(15)])
    with asana.serve_personal(tmp_path, ["offset_expires"]) as there, client(there, tmp_path, ledger) as pm:
        assert pm.find_task("SR-2025-0014") is not None
        assert there.server.seen["GET /api/1.0/projects/N/tasks"] == 4  # a page, a refusal, and both again


def test_a_personal_token_may_not_use_external_ids(tmp_path, ledger):
    with (
        asana.serve_personal(tmp_path) as there,
        client(there, tmp_path, ledger, external_ids=True) as pm,
        pytest.raises(PermissionDenied),
    ):
        pm.create_task(**task(1))
    assert there.server.broken == []


def test_without_a_place_for_the_key_nothing_is_sent(tmp_path, ledger):
    with asana.serve(tmp_path) as there, client(there, tmp_path, ledger, external_ids=False) as pm:
        with pytest.raises(ConfigError, match="key_field"):
            pm.create_task(**task(1))
        assert there.rows("task") == []


def test_followers_are_told_now_and_then_and_of_the_end(tmp_path, ledger):
    with asana.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        number = pm.create_task(**task(1))["id"]
        for percent in (10, 20, 30, 100, 100):
            pm.update_project_progress("", percent, task_id=number)
        updates = there.documents.all("update")
        assert [(each["text"], each["status_type"]) for each in updates] == [
            ("SR-2025-0001: 10 % done", "on_track"),
            ("SR-2025-0001: 100 % done", "complete"),
        ]
        fields = there.task(number, oauth=True)["custom_fields"]
        assert fields[asana.PROGRESS_FIELD] == 100


def test_a_status_is_a_section_a_tick_and_a_comment(tmp_path, ledger):
    with asana.serve(tmp_path) as there, client(there, tmp_path, ledger) as pm:
        number = pm.create_task(**task(1))["id"]
        for status in ("IN_PROGRESS", "COMPLETE", "IN_PROGRESS", "COMPLETE"):
            pm.update_task(number, status, notes="12 of 12", actual_hours=1.26)
        (row,) = there.rows("task")
        assert (row["status"], row["done"]) == ("Complete", True)
        (story,) = there.documents.all("story")
        assert story["text"] == "12 of 12\n\n* Hours so far: 1.26"
