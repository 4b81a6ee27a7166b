"""Shows that an attempt which waited for another one doesn't overwrite what that one has brought into effect."""

from __future__ import annotations

import threading

import pytest

from pv_testing.core.records import Record, Result
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Claim, Ledger, Settlement
from tests.unit.exchange.target import Target

KEY = "SR-2025-0001/SN0000"


def version(power: int) -> list[Record]:
    return [Record(KEY, {"power_rating": power})]


def fingerprint(power: int) -> str:
    """Return the fingerprint of a version as the engine claims it."""
    with Ledger.in_memory() as ledger:
        Exchange(Target(), ledger).run(version(power))
        (entry,) = ledger.entries()
        return entry.fingerprint


class Waited(Ledger):
    """A ledger that says when somebody was told to wait."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.busy = threading.Event()

    def claim(self, system, kind, items, *, owner, lease):
        claimed = super().claim(system, kind, items, owner=owner, lease=lease)
        if any(claim.decision.value == "busy" for claim in claimed):
            self.busy.set()
        return claimed


@pytest.mark.parametrize("before", [False, True])
def test_a_version_that_waited_does_not_overwrite_the_one_it_waited_for(tmp_path, before):
    target = Target(OperationLimits(timeout=5, horizon=0.05))
    with Waited(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        if before:
            Exchange(target, ledger).run(version(390))
        (newer,) = ledger.claim("lims", "sample", [Claim(KEY, fingerprint(405))], owner="newer", lease=60)
        target.sent.clear()

        def settle() -> None:
            ledger.busy.wait(10)
            ledger.settle([Settlement(newer, Result.CREATED, "T-1")], owner="newer")

        other = threading.Thread(target=settle)
        other.start()
        (outcome,) = Exchange(target, ledger, owner="older").run(version(400)).outcomes
        other.join()
        assert (outcome.result, outcome.code) == (Result.DEFERRED, "STALE")
        assert target.sent == []
        assert ledger.peek("lims", "sample", [Claim(KEY, fingerprint(405))])[0].decision.value == "unchanged"
        # The next try reads the record anew; a change made after that takes effect.
        (outcome,) = Exchange(target, ledger, owner="next").run(version(410)).outcomes
        assert outcome.result is Result.UPDATED


def test_a_version_that_waited_for_one_that_was_not_sent_is_sent(tmp_path):
    target = Target(OperationLimits(timeout=5, horizon=0.05))
    with Waited(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger:
        (other,) = ledger.claim("lims", "sample", [Claim(KEY, fingerprint(405))], owner="other", lease=60)

        def settle() -> None:
            ledger.busy.wait(10)
            ledger.settle([Settlement(other, Result.DEFERRED, code="NOT_SENT")], owner="other")

        thread = threading.Thread(target=settle)
        thread.start()
        (outcome,) = Exchange(target, ledger, owner="older").run(version(400)).outcomes
        thread.join()
    assert (outcome.result, target.sent) == (Result.CREATED, [KEY])


class Noting(Ledger):
    """A ledger that notes what it holds whenever somebody claims."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self.held: list[dict[str, str]] = []

    def claim(self, system, kind, items, *, owner, lease):
        self.held.append({entry.key: entry.state.value for entry in self.entries()})
        return super().claim(system, kind, items, owner=owner, lease=lease)


def test_what_was_confirmed_is_settled_before_others_are_waited_for():
    records = [*version(400), Record("SR-2025-0001/SN0001", {"power_rating": 400})]
    with Noting() as ledger:
        ledger.claim("lims", "sample", [Claim(KEY, fingerprint(405))], owner="other", lease=60)
        report = Exchange(Target(), ledger, patience=0.6).run(records)
        assert ledger.held[2] == {KEY: "in_flight", "SR-2025-0001/SN0001": "confirmed"}
    assert {outcome.key: outcome.code for outcome in report.outcomes} == {KEY: "BUSY", "SR-2025-0001/SN0001": ""}
