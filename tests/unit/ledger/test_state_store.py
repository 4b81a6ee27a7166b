"""What steps remember: read as it was written, and changed by many at a time without one undoing the other."""

from __future__ import annotations

import pytest

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Ledger, Settlement
from tests.forks import server


def test_what_was_never_kept_is_empty_and_reading_writes_nothing(ledger: Ledger) -> None:
    assert ledger.state("erp/invoice/SR-1", {"a": 1}) == {"a": 1}
    assert ledger.watermark("erp/invoice/SR-1") is None


def test_a_change_that_changes_nothing_leaves_no_event(ledger: Ledger) -> None:
    ledger.update("pm/assignments", lambda kept: {**kept, "SR-1": "ada"}, {})
    before = ledger.verify()
    assert ledger.update("pm/assignments", lambda kept: {**kept, "SR-1": "ada"}, {}) == {"SR-1": "ada"}
    assert ledger.verify() == before


def test_a_change_sees_what_is_kept_and_not_what_was_read_before(ledger: Ledger) -> None:
    read = ledger.state("pm/assignments", {})
    ledger.update("pm/assignments", lambda kept: {**kept, "SR-2": "eve"}, {})
    assert ledger.update("pm/assignments", lambda kept: {**kept, "SR-1": "ada"}, read) == {"SR-1": "ada", "SR-2": "eve"}


def _count(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        for _ in range(number):
            ledger.update("counter", lambda kept: kept + 1, 0)


def test_processes_at_the_same_time_lose_no_change(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.update("counter", lambda kept: kept, 0)
        workers = [server().Process(target=_count, args=(url, 25)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert ledger.state("counter", 0) == 100


@pytest.mark.parametrize(("code", "in_doubt"), [("AMBIGUOUS", True), ("NOT_SENT", False), ("CONTENT_DIFFERS", False)])
def test_records_in_doubt_are_those_that_a_claim_would_look_up(ledger: Ledger, code: str, in_doubt: bool) -> None:
    result = Result.QUARANTINED if code == "CONTENT_DIFFERS" else Result.DEFERRED
    (claimed,) = ledger.claim("qms", "nc", [Claim("E-1", "f")], owner="one", lease=60)
    assert ledger.in_doubt("qms", "nc", ["E-1", "E-2"]) == {"E-1"}
    ledger.settle([Settlement(claimed, result, code=code, reason="why")], owner="one")
    assert ledger.in_doubt("qms", "nc", ["E-1", "E-2"]) == ({"E-1"} if in_doubt else set())
    assert set(ledger.states("qms", "nc", ["E-1", "E-2"])) == {"E-1"}
