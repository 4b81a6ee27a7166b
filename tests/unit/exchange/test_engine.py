"""Shows that the engine brings each record into effect exactly once, or says why it waits."""

from __future__ import annotations

import asyncio

import pytest

from pv_testing.core.errors import (
    AuthenticationError,
    CircuitOpen,
    ConfigError,
    DataError,
    DeadlineExceeded,
    ExchangeIncomplete,
    LedgerError,
    NetworkError,
    PermissionDenied,
    RateLimited,
    Rejected,
    SecurityError,
    ServerUnavailable,
)
from pv_testing.core.records import Record
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger
from tests.unit.exchange.target import Target, nothing, records


def test_each_record_is_created_and_a_second_run_sends_nothing(ledger, target):
    report = Exchange(target, ledger).run(records(35))
    assert report.counts()["created"] == 35
    target.sent.clear()
    again = Exchange(target, ledger).run(records(35))
    assert again.counts()["unchanged"] == 35
    assert again.external_ids() == report.external_ids()
    assert target.sent == []
    assert target.look_ups == 0


def test_one_refused_record_does_not_hold_up_the_others(ledger, target):
    target.refuses = {"SR-2025-0001/SN0003"}
    report = Exchange(target, ledger).run(records(20))
    assert report.counts()["created"] == 19
    with pytest.raises(ExchangeIncomplete, match="SN0003: the customer is unknown") as caught:
        report.raise_for_waiting()
    assert caught.value.waiting == 1


def test_a_refused_record_waits_for_a_person_until_it_is_replayed(ledger, target):
    target.refuses = {"SR-2025-0001/SN0000"}
    Exchange(target, ledger).run(records(1))
    target.refuses = set()
    waiting = Exchange(target, ledger).run(records(1))
    assert waiting.counts()["rejected"] == 1
    assert len(target.sent) == 1
    replayed = Exchange(target, ledger, owner="pv_intake/run try 1", replay=True).run(records(1))
    assert replayed.counts()["created"] == 1
    assert [event.owner for event in ledger.events() if event.action == "release"] == ["pv_intake/run try 1"]


def test_a_batch_refused_as_a_whole_is_split_until_the_culprit_is_found(ledger, target):
    def refuse(batch):
        return Rejected("unprocessable") if any(item.key.endswith("7") for item in batch) else None

    target.before = refuse
    report = Exchange(target, ledger).run(records(10))
    assert report.counts()["created"] == 9
    assert [outcome.key for outcome in report.not_in_effect()] == ["SR-2025-0001/SN0007"]


def test_a_changed_record_takes_effect_as_the_next_revision(ledger, target):
    Exchange(target, ledger).run(records(5, power_rating=400))
    report = Exchange(target, ledger).run(records(5, power_rating=405))
    assert report.counts()["updated"] == 5
    assert {revision for _, _, revision in target.rows} == {1, 2}
    assert Exchange(target, ledger).run(records(5, power_rating=405)).counts()["unchanged"] == 5


def test_an_operation_may_ignore_changes(ledger):
    target = Target(OperationLimits(batch_size=10, on_change="ignore"))
    Exchange(target, ledger).run(records(3, power_rating=400))
    report = Exchange(target, ledger).run(records(3, power_rating=405))
    assert report.counts()["unchanged"] == 3
    events = ledger.verify().count
    assert Exchange(target, ledger).run(records(3, power_rating=405)).counts()["unchanged"] == 3
    assert ledger.verify().count == events
    assert len(target.rows) == 3


def test_what_is_in_the_system_already_is_adopted_when_the_contract_looks_first(ledger, target):
    Exchange(target, ledger).run(records(10))
    limits = OperationLimits(batch_size=10, look_first=True, horizon=0.05)
    target.limits = limits
    with Ledger.in_memory() as lost_and_remade:
        report = Exchange(target, lost_and_remade).run(records(12))
    assert report.counts()["adopted"] == 10
    assert report.counts()["created"] == 2
    assert set(target.times().values()) == {1}


def test_an_error_of_the_credentials_stops_the_exchange_and_claims_nothing(ledger, target):
    target.before = lambda _: AuthenticationError("the key is not accepted")
    report = Exchange(target, ledger).run(records(2000))
    assert report.counts()["deferred"] == 2000
    assert len(target.sent) <= 10 * target.limits.concurrency
    with pytest.raises(AuthenticationError):
        report.raise_for_waiting()
    target.before = nothing
    assert Exchange(target, ledger).run(records(2000)).counts()["created"] == 2000


def test_a_network_that_is_down_leaves_everything_as_it_was(ledger, target):
    target.before = lambda _: NetworkError("connection refused")
    report = Exchange(target, ledger).run(records(20))
    with pytest.raises(NetworkError):
        report.raise_for_waiting()
    target.before = nothing
    assert Exchange(target, ledger).run(records(20)).counts()["created"] == 20


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("the key is not accepted"),
        CircuitOpen("it failed too often"),
        ConfigError("there is no such field"),
        DeadlineExceeded("the time is used up; nothing was sent"),
        PermissionDenied("the scope is missing"),
        RateLimited("wait", retry_after=60),
        SecurityError("the certificate is not trusted"),
        ServerUnavailable("it is being serviced"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_before_any_effect_stops_the_exchange_without_a_look_up(ledger, target, error):
    target.before = lambda _: error
    report = Exchange(target, ledger).run(records(10))
    assert report.error is error
    assert {outcome.code for outcome in report.outcomes} == {"NOT_SENT"}
    assert target.look_ups == 0


def test_a_record_that_cannot_be_mapped_is_quarantined_with_its_reason(ledger, target):
    report = Exchange(target, ledger).run([*records(3), Record("SR-2025-0001/SNBAD", {"bad": True})])
    assert report.counts()["created"] == 3
    assert [(o.key, o.code) for o in report.not_in_effect()] == [("SR-2025-0001/SNBAD", "FIELD_MISSING")]
    assert [entry.key for entry in ledger.waiting()] == ["SR-2025-0001/SNBAD"]
    corrected = Exchange(target, ledger).run([Record("SR-2025-0001/SNBAD", {"good": True})])
    assert corrected.counts()["created"] == 1


def test_a_problem_found_before_mapping_goes_straight_to_quarantine(ledger, target):
    record = Record("SR-2025-0001/(module 3)", {}, DataError("module 3 has no serial number", code="SERIAL_MISSING"))
    report = Exchange(target, ledger).run([record])
    assert [o.code for o in report.outcomes] == ["SERIAL_MISSING"]
    assert target.sent == []


def test_one_key_with_two_contents_takes_no_effect_at_all(ledger, target):
    twice = [Record("SR-2025-0001/SN1", {"a": 1}), Record("SR-2025-0001/SN1", {"a": 2})]
    report = Exchange(target, ledger).run(twice)
    assert [o.code for o in report.outcomes] == ["DUPLICATE_KEY"]
    assert target.rows == []
    same = [Record("SR-2025-0001/SN2", {"a": 1}), Record("SR-2025-0001/SN2", {"a": 1})]
    assert Exchange(target, ledger).run(same).counts()["created"] == 1


def test_two_attempts_at_the_same_time_do_not_overlap(ledger, target):
    async def both():
        first = Exchange(target, ledger, owner="first").arun(records(200))
        second = Exchange(target, ledger, owner="second").arun(records(200))
        return await asyncio.gather(first, second)

    reports = asyncio.run(both())
    assert all(not report.not_in_effect() for report in reports)
    assert set(target.times().values()) == {1}


def test_nothing_is_sent_when_the_ledger_cannot_be_written(tmp_path, target):
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.close()
    for file in tmp_path.iterdir():
        file.unlink()
    path.mkdir()
    with pytest.raises(LedgerError):
        Exchange(target, Ledger(f"sqlite:///{path}")).run(records(3))
    assert target.sent == []


def test_the_audit_trail_has_one_event_for_each_record_that_took_effect(ledger, target):
    Exchange(target, ledger, owner="pv_intake/run/task#1").run(records(12))
    Exchange(target, ledger).run(records(12))
    events = [event for event in ledger.events() if event.key]
    assert len({event.key for event in events if event.result == "created"}) == 12
    assert ledger.verify().count >= 12


def test_a_plan_says_what_would_happen_and_changes_nothing(ledger, target):
    Exchange(target, ledger).run(records(3))
    target.sent.clear()
    events = ledger.verify().count
    wanted = [*records(4), Record("SR-2025-0001/SNBAD", {"bad": True})]
    plan = Exchange(target, ledger).plan(wanted)
    assert {name: number for name, number in plan.counts().items() if number} == {
        "unchanged": 3,
        "created": 1,
        "quarantined": 1,
    }
    assert "would" in plan.table()
    assert target.sent == []
    assert ledger.verify().count == events
    assert ledger.waiting() == []
