"""Shows that a record of which it is unclear whether it took effect is looked up, and never takes effect twice."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import (
    AmbiguousOutcome,
    LedgerError,
    NetworkError,
    NotFound,
    PaginationLoop,
    ResponseError,
)
from pv_testing.core.records import Result
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from tests.unit.exchange.target import Ending, Target, nothing, records


def once(error: Exception):
    """A fault that strikes one time."""
    left = [error]
    return lambda _: left.pop() if left else None


def test_a_lost_response_is_adopted_by_look_up_and_never_sent_again(ledger, target):
    target.after = once(AmbiguousOutcome("connection dropped"))
    report = Exchange(target, ledger).run(records(30))
    assert report.counts()["adopted"] == 10
    assert report.counts()["created"] == 20
    assert set(target.times().values()) == {1}
    assert len(target.sent) == 30
    report.raise_for_waiting()


def test_a_request_that_was_lost_on_its_way_is_sent_again_after_the_horizon(ledger, target):
    target.before = once(AmbiguousOutcome("connection dropped"))
    report = Exchange(target, ledger).run(records(10))
    assert report.counts()["created"] == 10
    assert set(target.times().values()) == {1}
    assert len(target.sent) == 20


def test_an_absence_that_was_seen_before_a_request_says_nothing_after_it(ledger):
    class Watched(Target):
        def __init__(self):
            super().__init__()
            self.asked: list[bool] = []

        async def find(self, batch):
            self.asked += [item.absent for item in batch]
            return await super().find(batch)

    target = Watched()
    target.before = once(AmbiguousOutcome("it never arrived"))
    target.after = once(AmbiguousOutcome("the answer was lost"))
    report = Exchange(target, ledger).run(records(1))
    assert report.counts()["adopted"] == 1
    assert target.asked[:3] == [False, False, False]


def test_a_commit_that_comes_after_the_timeout_is_waited_for(ledger):
    target = Target(OperationLimits(batch_size=10, concurrency=2, timeout=0.4, horizon=0.5))
    target.commit_delay = 0.2
    report = Exchange(target, ledger).run(records(10))
    assert report.counts()["adopted"] == 10
    assert set(target.times().values()) == {1}


def test_a_lost_response_to_a_change_is_not_mistaken_for_the_earlier_version(ledger, target):
    Exchange(target, ledger).run(records(5, power_rating=400))
    target.before = once(AmbiguousOutcome("connection dropped"))
    report = Exchange(target, ledger).run(records(5, power_rating=405))
    assert report.counts()["updated"] == 5
    assert target.times() == {f"SR-2025-0001/SN{place:04}#{revision}": 1 for place in range(5) for revision in (1, 2)}


def test_two_records_under_one_key_in_the_system_wait_for_a_person(ledger, target):
    target.after = once(AmbiguousOutcome("connection dropped"))
    record = records(1)
    target.rows.append((record[0].key, {}, 1))
    report = Exchange(target, ledger).run(record)
    assert [(o.result, o.code) for o in report.outcomes] == [(Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")]


def test_without_a_look_up_an_ambiguous_record_waits_for_a_person(ledger):
    target = Target(can_find=False)
    target.after = once(AmbiguousOutcome("connection dropped"))
    report = Exchange(target, ledger).run(records(1))
    assert [(o.result, o.code) for o in report.outcomes] == [(Result.QUARANTINED, "NO_LOOKUP")]
    assert Exchange(target, ledger).run(records(1)).counts()["quarantined"] == 1
    assert len(target.sent) == 1


def test_a_replay_does_not_send_again_what_only_a_person_can_tell_of(ledger):
    target = Target(can_find=False)
    target.after = once(AmbiguousOutcome("connection dropped"))
    Exchange(target, ledger).run(records(1))
    report = Exchange(target, ledger, replay=True).run(records(1))
    assert [(o.result, o.code) for o in report.outcomes] == [(Result.QUARANTINED, "NO_LOOKUP")]
    assert len(target.rows) == 1
    ledger.release("lims", "sample", [records(1)[0].key], owner="a person")
    assert Exchange(target, ledger).run(records(1)).counts()["created"] == 1


def deny(target: Target, culprit: str):
    """Let a target refuse every look-up of one record; return its own look-up."""
    find = target.find

    async def denied(batch):
        if any(item.key == culprit for item in batch):
            raise NotFound("Sample 7 does not exist")
        return await find(batch)

    target.find = denied
    return find


def test_a_refused_look_up_keeps_its_record_in_doubt_and_stops_no_other(ledger, target):
    culprit = "SR-2025-0001/SN0007"
    find = deny(target, culprit)
    target.after = once(AmbiguousOutcome("connection dropped"))
    report = Exchange(target, ledger).run(records(20))
    report_again = Exchange(target, ledger).run(records(20))
    assert (report.counts()["adopted"], report.counts()["created"]) == (9, 10)
    for waiting in (report, report_again):
        (outcome,) = waiting.not_in_effect()
        assert (outcome.key, outcome.result, outcome.code) == (culprit, Result.QUARANTINED, "LOOKUP_REFUSED")
        assert "Sample 7 does not exist" in outcome.reason
        assert "--absent" in outcome.reason
    assert report.error is None
    target.find = find
    ledger.release("lims", "sample", [culprit])
    assert Exchange(target, ledger).run(records(20)).counts()["adopted"] == 1
    assert set(target.times().values()) == {1}


def test_a_record_whose_look_up_is_refused_is_sent_when_a_person_says_that_it_is_absent(ledger, target):
    (record,) = records(1)
    find = deny(target, record.key)
    target.before = once(AmbiguousOutcome("connection dropped"))
    assert Exchange(target, ledger).run([record]).counts()["quarantined"] == 1
    ledger.release("lims", "sample", [record.key])
    assert Exchange(target, ledger).run([record]).counts()["quarantined"] == 1
    ledger.release("lims", "sample", [record.key], absent=True)
    assert Exchange(target, ledger).run([record]).counts()["created"] == 1
    target.find = find
    assert set(target.times().values()) == {1}


def test_a_look_up_that_fails_for_another_reason_stops_the_exchange(ledger, target):
    target.after = lambda _: AmbiguousOutcome("connection dropped")
    target.find = unreachable
    report = Exchange(target, ledger).run(records(3))
    assert {outcome.code for outcome in report.outcomes} == {"AMBIGUOUS"}
    assert isinstance(report.error, NetworkError)


@pytest.mark.parametrize(
    "error",
    [ResponseError("the answer is not JSON"), PaginationLoop("one page came twice"), LedgerError("the disk is full")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_may_come_after_the_effect_is_looked_up_and_never_sent_again(ledger, target, error):
    target.after = lambda _: error
    report = Exchange(target, ledger).run(records(10))
    assert report.counts()["adopted"] == 10
    assert set(target.times().values()) == {1}
    report.raise_for_waiting()


def test_a_record_whose_fate_stays_unclear_says_what_came_in_between(ledger, target):
    target.before = lambda _: ResponseError("the answer is not JSON")
    report = Exchange(target, ledger).run(records(1))
    assert [(o.code, "the answer is not JSON" in o.reason) for o in report.outcomes] == [("AMBIGUOUS", True)]


def test_a_record_left_in_flight_by_a_killed_attempt_is_looked_up_not_sent(ledger, target):
    class Killed(BaseException):
        pass

    def kill(batch):
        raise Killed

    target.after = kill
    with pytest.raises(Killed):
        Exchange(target, ledger, owner="try 1").run(records(10))
    target.after = nothing
    report = Exchange(target, ledger, owner="try 2").run(records(10))
    assert report.counts()["adopted"] == 10
    assert set(target.times().values()) == {1}


@pytest.mark.parametrize("compares_content", [False, True])
def test_a_record_that_changed_while_its_fate_was_unclear_keeps_both_versions_apart(ledger, target, compares_content):
    class Killed(BaseException):
        pass

    def kill(batch):
        raise Killed

    target.after = kill
    target.compares_content = compares_content
    with pytest.raises(Killed):
        Exchange(target, ledger).run(records(3, power_rating=400))
    target.after = nothing
    report = Exchange(target, ledger).run(records(3, power_rating=405))
    assert report.counts()["updated"] == 3
    assert target.times() == {f"SR-2025-0001/SN{place:04}#{revision}": 1 for place in range(3) for revision in (1, 2)}


def test_a_change_in_doubt_is_overwritten_when_the_record_returns_to_what_it_was(ledger, target):
    Exchange(target, ledger).run(records(3, power_rating=400))
    target.after = lambda _: AmbiguousOutcome("connection dropped")
    find, target.find = target.find, unreachable
    assert Exchange(target, ledger).run(records(3, power_rating=405)).counts()["deferred"] == 3
    target.find, target.after = find, nothing
    assert latest(target) == {405}
    report = Exchange(target, ledger).run(records(3, power_rating=400))
    assert report.counts()["updated"] == 3
    assert latest(target) == {400}
    assert Exchange(target, ledger).run(records(3, power_rating=400)).counts()["unchanged"] == 3


def test_what_a_look_up_sees_is_not_noted_as_the_version_in_doubt(ledger, target):
    Exchange(target, ledger).run(records(1, power_rating=400))
    target.before = lambda _: AmbiguousOutcome("connection dropped")
    find, target.find = target.find, unreachable
    Exchange(target, ledger).run(records(1, power_rating=405))
    target.find, target.before = find, lambda _: NetworkError("connection refused")
    assert Exchange(target, ledger).run(records(1, power_rating=400)).counts()["deferred"] == 1
    target.before = nothing
    assert Exchange(target, ledger).run(records(1, power_rating=405)).counts()["updated"] == 1
    assert latest(target) == {405}


def test_a_killed_request_that_may_be_repeated_is_sent_again_without_a_look_up():
    class Killed(BaseException):
        pass

    def kill(_):
        raise Killed

    target = Target(OperationLimits(batch_size=10, repeatable=True, horizon=0.0), can_find=False)
    target.after = kill
    with Ending.in_memory() as ledger:
        with pytest.raises(Killed):
            Exchange(target, ledger).run(records(1))
        target.after = nothing
        assert Exchange(target, ledger).run(records(1)).counts()["created"] == 1


def test_what_may_be_repeated_is_sent_again_when_the_record_returns_to_what_it_was(ledger):
    limits = OperationLimits(batch_size=10, change_batch_size=10, timeout=0.4, repeatable=True)
    target = Target(limits, can_find=False)
    Exchange(target, ledger).run(records(3, power_rating=400))
    target.after = lambda _: NetworkError("the answer broke off")
    assert Exchange(target, ledger).run(records(3, power_rating=405)).counts()["deferred"] == 3
    target.after = nothing
    assert latest(target) == {405}
    assert Exchange(target, ledger).run(records(3, power_rating=400)).counts()["updated"] == 3
    assert latest(target) == {400}


async def unreachable(_):
    raise NetworkError("the look-up fails")


def latest(target: Target) -> set[object]:
    """Return the power rating of each record as it is in the system now."""
    return {payload["power_rating"] for payload in {key: payload for key, payload, _ in target.rows}.values()}
