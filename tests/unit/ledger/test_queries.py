"""What the ledger answers about its records, watermarks and pauses."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Refusal, Settlement, State, rows


@pytest.fixture
def filled(ledger):
    """Give a ledger with records of three requests in two systems."""
    for system in ("lims", "qms"):
        keys = [f"SR-2025-{request:04d}/SN{serial}" for request in (1, 2, 10) for serial in (1, 2)]
        claimed = ledger.claim(system, "sample", [Claim(key, "a") for key in keys], owner="o", lease=60)
        ledger.settle(
            [Settlement(one, Result.CREATED, f"{system}-{number}") for number, one in enumerate(claimed[1:])], owner="o"
        )
    ledger.quarantine("lims", "result", [Refusal("77", "raw", "UNIT", "no unit")], owner="o")
    return ledger


def test_entries_come_in_order_and_are_chosen_by_what_is_asked(filled):
    every = [(entry.system, entry.kind, entry.key) for entry in filled.entries()]
    assert every == sorted(every)
    assert len(every) == 13
    assert {entry.system for entry in filled.entries(system="qms")} == {"qms"}
    assert [entry.key for entry in filled.entries(kind="result")] == ["77"]
    assert [entry.key for entry in filled.entries("lims", "sample", prefix="SR-2025-0001/")] == [
        "SR-2025-0001/SN1",
        "SR-2025-0001/SN2",
    ]
    assert [entry.key for entry in filled.entries("lims", states=["in_flight"])] == ["SR-2025-0001/SN1"]
    assert len(list(filled.entries(states=[State.CONFIRMED, State.QUARANTINED]))) == 11
    assert len(list(filled.entries(limit=3))) == 3
    assert list(filled.entries(limit=0)) == []


def test_a_prefix_is_no_pattern(filled):
    assert list(filled.entries(prefix="SR%")) == []
    assert list(filled.entries(prefix="sr-2025")) == []


def test_entries_are_given_page_by_page_without_gap_or_double(ledger):
    keys = [f"k{number:05d}" for number in range(2_500)]
    ledger.claim("lims", "sample", [Claim(key, "a") for key in reversed(keys)], owner="o", lease=60)
    assert [entry.key for entry in ledger.entries()] == keys
    assert [entry.key for entry in ledger.entries(limit=1_500)] == keys[:1_500]


def test_ids_are_found_in_both_directions(filled):
    keys = ["SR-2025-0001/SN1", "SR-2025-0001/SN2", "unheard of"]
    assert filled.external_ids("lims", "sample", keys) == {"SR-2025-0001/SN2": "lims-0"}
    assert filled.find_by_external_id("lims", "sample", ["lims-0", "lims-4", "qms-0"]) == {
        "lims-0": "SR-2025-0001/SN2",
        "lims-4": "SR-2025-0010/SN2",
    }
    assert filled.external_ids("lims", "sample", []) == {}
    assert filled.find_by_external_id("lims", "sample", ["", "a\0", "\ud800", "lims-0"]) == {"lims-0": keys[1]}


def test_counts_add_up(filled):
    assert filled.counts() == {
        ("lims", "result", "quarantined"): 1,
        ("lims", "sample", "confirmed"): 5,
        ("lims", "sample", "in_flight"): 1,
        ("qms", "sample", "confirmed"): 5,
        ("qms", "sample", "in_flight"): 1,
    }


def test_a_watermark_is_kept_under_its_name(open_ledger):
    ledger = open_ledger()
    assert ledger.watermark("lims/status") is None
    ledger.set_watermark("lims/status", "2025-01-01T00:00:00Z")
    ledger.set_watermark("lims/status", "2025-01-02T00:00:00Z")
    ledger.set_watermark("other", "")
    assert open_ledger().watermark("lims/status") == "2025-01-02T00:00:00Z"
    assert ledger.watermark("other") == ""


def test_the_longest_pause_wins_and_outlives_the_process(open_ledger):
    ledger = open_ledger()
    assert ledger.paused_until("lims") == 0.0
    ledger.pause("lims", 2_000_000_000.5)
    ledger.pause("lims", 1_900_000_000.0)
    assert open_ledger().paused_until("lims") == 2_000_000_000.5
    assert ledger.paused_until("qms") == 0.0


@pytest.mark.postgres
def test_postgresql_reads_only_the_records_asked_for_even_before_it_has_statistics(schema):
    keys = [f"SR-2025-0001/SN{number:05d}" for number in range(5_000)]
    with Ledger(schema) as ledger:
        ledger.claim("lims", "sample", [Claim(key, "a") for key in keys], owner="o", lease=60)
        with ledger._store.reading() as connection:
            assert len(rows.fetch(connection, "lims", "sample", keys[::100])) == 50
            read = connection.execute(
                text(
                    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
                    " WHERE relid = 'ledger_record'::regclass"
                )
            ).scalar_one()
    assert 50 <= read <= 100
