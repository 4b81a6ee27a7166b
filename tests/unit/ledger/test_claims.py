"""Claims, leases, settlements and quarantine on real databases, as the exchange uses them."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest
from sqlalchemy import event

from pv_testing.core.errors import DataError, LeaseLost, LedgerError
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Decision, Ledger, Refusal, Settlement, State

KEYS = ["SR-2025-0123/SN1", "SR-2025-0123/SN2", "SR-2025-0123/Ä\u2028'\"?%s"]


def claim(ledger, *keys, fingerprint="a", owner="first", lease=60.0, kind="sample"):
    return ledger.claim("lims", kind, [Claim(key, fingerprint) for key in keys], owner=owner, lease=lease)


def settle(ledger, claimed, result=Result.CREATED, owner="first", **fields):
    return ledger.settle([Settlement(one, result, **fields) for one in claimed], owner=owner)


def decisions(claimed):
    return [one.decision for one in claimed]


def actions(ledger):
    return [(each.action, each.key, each.result) for each in ledger.events()]


def test_a_record_is_sent_once_and_unchanged_from_then_on(ledger):
    first = claim(ledger, *KEYS)
    assert decisions(first) == [Decision.NEW] * 3
    assert [one.key for one in first] == KEYS
    assert decisions(claim(ledger, *KEYS, owner="second")) == [Decision.BUSY] * 3
    assert settle(ledger, first, external_id="LIM-1") == []
    again = claim(ledger, *KEYS, owner="second")
    assert decisions(again) == [Decision.UNCHANGED] * 3
    assert {one.external_id for one in again} == {"LIM-1"}
    assert [one.revision for one in first + again] == [1] * 6
    assert actions(ledger) == [("settle", key, "created") for key in KEYS]


def test_a_busy_record_says_who_holds_it_and_how_long(ledger):
    before = ledger.now()
    claim(ledger, "k", lease=60)
    (busy,) = claim(ledger, "k", owner="first", lease=5)
    assert busy.owner == "first"
    assert before + 60 <= busy.lease_until <= ledger.now() + 60


def test_records_of_other_systems_and_kinds_are_other_records(ledger):
    claim(ledger, "k")
    assert decisions(claim(ledger, "k", kind="result")) == [Decision.NEW]
    assert decisions(ledger.claim("qms", "sample", [Claim("k", "a")], owner="o", lease=1)) == [Decision.NEW]


def test_a_key_that_comes_twice_in_one_batch_is_held_once(ledger):
    first, second = claim(ledger, "k", "k")
    assert (first.decision, second.decision) == (Decision.NEW, Decision.BUSY)
    assert settle(ledger, [first]) == []
    assert settle(ledger, [first]) == ["k"]


def test_a_change_gets_the_next_revision_and_the_known_id(ledger):
    settle(ledger, claim(ledger, "k"), external_id="LIM-7")
    (changed,) = claim(ledger, "k", fingerprint="b")
    assert (changed.decision, changed.revision, changed.external_id) == (Decision.CHANGED, 2, "LIM-7")
    settle(ledger, [changed], Result.UPDATED)
    (entry,) = ledger.entries()
    assert (entry.state, entry.revision, entry.external_id, entry.fingerprint) == (State.CONFIRMED, 2, "LIM-7", "b")


def test_an_expired_lease_is_resolved_and_the_late_owner_is_fenced(ledger):
    (late,) = claim(ledger, "k", lease=0)
    (newer,) = claim(ledger, "k", owner="second")
    assert (newer.decision, newer.unresolved_fingerprint) == (Decision.RESOLVE, "a")
    assert newer.token > late.token
    assert settle(ledger, [late], external_id="LATE") == ["k"]
    with pytest.raises(LeaseLost, match="k"):
        ledger.renew([late], 60)
    assert settle(ledger, [newer], Result.ADOPTED, owner="second", external_id="LIM-1") == []
    (refused, adopted) = ledger.events()
    assert (refused.action, refused.external_id, refused.detail["code"]) == ("settle_refused", "LATE", "STALE_TOKEN")
    assert (refused.detail["token"], refused.detail["newest_owner"]) == (late.token, "second")
    assert (adopted.action, adopted.result, adopted.external_id) == ("settle", "adopted", "LIM-1")
    assert ledger.external_ids("lims", "sample", ["k"]) == {"k": "LIM-1"}


def test_an_expired_lease_that_no_attempt_took_over_can_still_be_settled(ledger):
    (slow,) = claim(ledger, "k", lease=0)
    assert settle(ledger, [slow]) == []
    assert decisions(claim(ledger, "k")) == [Decision.UNCHANGED]


def test_a_renewed_lease_holds_and_one_that_is_lost_is_named(ledger):
    held, lost = claim(ledger, "held", "lost", lease=0)
    claim(ledger, "lost", owner="second")
    with pytest.raises(LeaseLost, match="lost") as caught:
        ledger.renew([held, lost], 60)
    assert "held" not in str(caught.value)
    assert held.lease_until > ledger.now() + 30
    assert decisions(claim(ledger, "held", owner="second")) == [Decision.BUSY]


def test_an_ambiguous_outcome_is_resolved_next_time(ledger):
    settle(ledger, claim(ledger, "k"), Result.DEFERRED, code="AMBIGUOUS", reason="timeout after the request was sent")
    (entry,) = ledger.waiting()
    assert (entry.state, entry.code) == (State.UNKNOWN, "AMBIGUOUS")
    assert decisions(claim(ledger, "k", lease=0)) == [Decision.RESOLVE]


def test_what_a_killed_attempt_left_behind_is_listed_once_its_lease_has_ended(ledger):
    claim(ledger, "held")
    assert ledger.waiting() == []
    claim(ledger, "left", lease=0, owner="killed")
    (entry,) = ledger.waiting()
    assert (entry.key, entry.state, entry.code, entry.owner) == ("left", State.IN_FLIGHT, "INTERRUPTED", "killed")
    assert "look it up" in entry.reason
    assert decisions(claim(ledger, "left", fingerprint="b")) == [Decision.RESOLVE]


def test_a_person_can_say_what_became_of_what_a_killed_attempt_left_behind(ledger):
    claim(ledger, "held")
    (seen, absent) = claim(ledger, "seen", "absent", lease=0)
    assert ledger.release("lims", "sample", ["held", "absent"], owner="ana", absent=True) == 1
    ledger.confirm("lims", "sample", "seen", external_id="LIM-1", owner="ana")
    with pytest.raises(LedgerError, match="in flight"):
        ledger.confirm("lims", "sample", "held", external_id="LIM-2", owner="ana")
    assert ledger.waiting() == []
    assert settle(ledger, [seen, absent]) == ["seen", "absent"]
    assert decisions(claim(ledger, "seen", "absent")) == [Decision.UNCHANGED, Decision.NEW]


def test_what_was_not_sent_can_be_sent_by_the_next_attempt(ledger):
    settle(ledger, claim(ledger, "k"), Result.DEFERRED, code="NOT_SENT", reason="the system asks to wait")
    assert ledger.waiting() == []
    assert decisions(claim(ledger, "k")) == [Decision.NEW]


def test_a_rejected_record_waits_until_it_changes_or_is_released(ledger):
    settle(ledger, claim(ledger, "k"), Result.REJECTED, code="UNIT", reason="no such unit")
    (waiting,) = claim(ledger, "k")
    assert (waiting.decision, waiting.code, waiting.reason) == (Decision.WAITING, "UNIT", "no such unit")
    assert ledger.release("lims", "sample", ["k", "unheard of"], owner="ana") == 1
    assert ledger.release("lims", "sample", ["k"], owner="ana") == 0
    released = list(ledger.events())[-1]
    assert (released.action, released.owner, released.detail["was"]) == ("release", "ana", "rejected")
    assert decisions(claim(ledger, "k")) == [Decision.NEW]


def test_the_version_in_effect_is_restored_without_sending_when_a_later_one_was_refused(ledger):
    settle(ledger, claim(ledger, "k", "other"), external_id="LIM-1")
    settle(ledger, claim(ledger, "k", fingerprint="b"), Result.REJECTED, code="NO", reason="no")
    (again, other) = claim(ledger, "k", "other", owner="later")
    assert (again.decision, other.decision, again.external_id) == (Decision.UNCHANGED, Decision.UNCHANGED, "LIM-1")
    assert ledger.waiting() == []
    assert actions(ledger)[-1] == ("restore", "k", "unchanged")


def test_quarantine_is_noted_once_for_each_refusal(ledger):
    refusal = Refusal("k", "raw", "UNIT_MISSING", "the measurement Voc has no unit")
    for _ in range(3):
        ledger.quarantine("lims", "sample", [refusal], owner="first")
    assert actions(ledger) == [("quarantine", "k", "quarantined")]
    ledger.quarantine("lims", "sample", [Refusal("k", "raw", "UNIT_UNKNOWN", "furlong")], owner="first")
    (entry,) = ledger.waiting("lims")
    assert (entry.state, entry.code, entry.reason) == (State.QUARANTINED, "UNIT_UNKNOWN", "furlong")
    assert ledger.waiting("qms") == []
    assert len(actions(ledger)) == 2
    assert decisions(claim(ledger, "k")) == [Decision.NEW]


def test_quarantine_leaves_alone_what_a_live_attempt_holds(ledger):
    (held,) = claim(ledger, "k")
    ledger.quarantine("lims", "sample", [Refusal("k", "raw", "X", "x")], owner="second")
    assert settle(ledger, [held]) == []
    assert ledger.waiting() == []


def test_quarantine_of_a_record_in_doubt_does_not_forget_the_doubt(ledger):
    (late,) = claim(ledger, "k", lease=0)
    ledger.quarantine("lims", "sample", [Refusal("k", "raw", "X", "x")], owner="second")
    assert settle(ledger, [late]) == ["k"]
    assert decisions(claim(ledger, "k", fingerprint="b")) == [Decision.RESOLVE]


def test_a_person_can_confirm_what_the_system_holds(ledger):
    settle(ledger, claim(ledger, "k"), Result.QUARANTINED, code="NO_LOOKUP", reason="see there")
    ledger.confirm("lims", "sample", "k", "LIM-3", owner="ana")
    (unchanged,) = claim(ledger, "k")
    assert (unchanged.decision, unchanged.external_id) == (Decision.UNCHANGED, "LIM-3")
    with pytest.raises(LedgerError, match="is confirmed"):
        ledger.confirm("lims", "sample", "k", "LIM-3", owner="ana")
    with pytest.raises(LedgerError, match="isn't known"):
        ledger.confirm("lims", "sample", "unheard of", "LIM-3", owner="ana")


def test_a_person_can_free_an_unknown_record_that_the_system_does_not_hold(ledger):
    settle(ledger, claim(ledger, "k"), Result.DEFERRED, code="AMBIGUOUS")
    assert ledger.release("lims", "sample", ["k"]) == 0
    assert ledger.release("lims", "sample", ["k"], absent=True, owner="ana") == 1
    assert decisions(claim(ledger, "k")) == [Decision.NEW]


@pytest.mark.parametrize("number", [3, 150])
def test_of_a_batch_only_what_another_attempt_has_taken_over_is_refused(ledger, number):
    keys = [f"SR-1/SN{place:03}" for place in range(number)]
    first = claim(ledger, *keys, lease=-1.0)
    (second,) = claim(ledger, keys[1], owner="second")
    assert settle(ledger, first, external_id="LIM-1", sent=True) == [keys[1]]
    entries = {entry.key: entry for entry in ledger.entries("lims", "sample")}
    assert [key for key, entry in entries.items() if entry.state is not State.CONFIRMED] == [keys[1]]
    assert entries[keys[1]].code == "DISPUTED"
    assert {(entry.external_id, entry.revision) for key, entry in entries.items() if key != keys[1]} == {("LIM-1", 1)}
    assert settle(ledger, [second], owner="second") == [keys[1]]
    ledger.verify()


def test_a_claim_is_settled_once_under_its_own_token_and_in_the_state_in_which_it_was_left(ledger):
    first, second, third = claim(ledger, "first", "second", "third", lease=-1.0)
    assert settle(ledger, [first, first]) == ["first"]
    assert settle(ledger, [replace(second, token=second.token + 1)]) == ["second"]
    ledger.release("lims", "sample", ["third"], owner="a person", absent=True)
    assert settle(ledger, [third, second]) == ["third"]
    assert actions(ledger)[-1] == ("settle", "second", "created")
    ledger.verify()


def test_a_settlement_keeps_what_a_renewal_has_changed_and_what_was_confirmed_before(ledger):
    settle(ledger, claim(ledger, "k"), external_id="LIM-1")
    changed = claim(ledger, "k", fingerprint="b")
    ledger.renew(changed, 60.0)
    settle(ledger, changed, Result.REJECTED, code="NO", reason="the system refuses it")
    (entry,) = ledger.entries("lims", "sample")
    assert (entry.state, entry.external_id, entry.revision) == (State.REJECTED, "LIM-1", 1)
    assert entry.lease_until == 0.0
    assert decisions(claim(ledger, "k")) == [Decision.UNCHANGED]


def test_records_that_are_still_held_are_settled_without_being_read(ledger):
    claimed = claim(ledger, *KEYS)
    statements = []
    event.listen(ledger._store.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    assert settle(ledger, claimed, external_id="LIM-1") == []
    assert any(text.startswith("UPDATE ledger_record") for text in statements)
    assert not any(text.startswith("SELECT") and "ledger_record" in text for text in statements)


def test_settlements_of_several_kinds_share_a_transaction(ledger):
    both = claim(ledger, "k") + claim(ledger, "k", kind="result")
    assert settle(ledger, both) == []
    assert ledger.counts() == {("lims", "sample", "confirmed"): 1, ("lims", "result", "confirmed"): 1}


def test_empty_batches_do_nothing(ledger):
    assert claim(ledger) == []
    assert ledger.settle([], owner="o") == []
    ledger.renew([], 1)
    ledger.quarantine("lims", "sample", [], owner="o")
    assert ledger.release("lims", "sample", []) == 0
    assert ledger.verify().count == 0


@pytest.mark.parametrize("key", ["", "a\0b", "half \ud83d"])
def test_a_key_that_no_database_can_keep_is_refused_by_name(ledger, key):
    with pytest.raises(DataError, match="characters that no database can keep"):
        claim(ledger, "fine", key)
    assert ledger.counts() == {}


def test_what_a_system_says_is_kept_without_secrets_and_without_unstorable_characters(ledger):
    reason = "bad \0 \ud83d token=canary-123456 " + "x" * 5_000
    settle(ledger, claim(ledger, "k"), Result.REJECTED, external_id="\udc00", code="NO", reason=reason)
    ledger.record(
        "sweep", detail={"url": "https://ana:canary-123456@host/", "n": [1, {"\0": "api_key: canary-123456"}]}
    )
    settle(ledger, claim(ledger, "other"), external_id="LIM\0-1", code="\0")
    kept = repr(list(ledger.entries())) + repr(list(ledger.events()))
    assert "canary" not in kept
    assert len(ledger.waiting()[0].reason) <= 1_000
    assert ledger.external_ids("lims", "sample", ["other"]) == {}, "another id than the system's is no id"
    assert [(entry.key, entry.code) for entry in ledger.waiting()] == [("k", "NO"), ("other", "ID_UNUSABLE")]
    assert ledger.verify().count == 3


def test_a_batch_of_any_size_is_one_claim(ledger):
    keys = [f"SR-2025-{number:05d}/SN" for number in range(40_000)]
    claimed = claim(ledger, *keys)
    assert [one.key for one in claimed] == keys
    assert ledger.external_ids("lims", "sample", keys) == {}


def test_records_that_need_no_sending_are_answered_while_another_process_writes(open_ledger):
    ledger, other = open_ledger(), open_ledger()
    settle(ledger, claim(ledger, "unchanged"))
    settle(ledger, claim(ledger, "rejected"), Result.REJECTED, code="NO", reason="no")
    claim(ledger, "busy")
    with other._store.writing():
        answers = claim(ledger, "unchanged", "rejected", "busy")
        ledger.quarantine("lims", "sample", [], owner="o")
    assert decisions(answers) == [Decision.UNCHANGED, Decision.WAITING, Decision.BUSY]


def test_a_ledger_in_memory_serves_many_threads():
    with Ledger.in_memory() as ledger:
        won: list[int] = []

        def work(number: int) -> None:
            for step in range(20):
                claimed = claim(ledger, f"k{step}", owner=str(number))
                held = [one for one in claimed if one.decision is Decision.NEW]
                settle(ledger, held, owner=str(number))
                won.extend([step] * len(held))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == list(range(20))
        assert ledger.verify().count == 20


def test_two_ledgers_in_memory_are_two_ledgers():
    with Ledger.in_memory() as one, Ledger("sqlite:///:memory:") as other:
        claim(one, "k")
        assert decisions(claim(other, "k")) == [Decision.NEW]


def connection_in_use(ledger) -> object:
    with ledger._store.reading() as connection:
        return connection.connection.dbapi_connection


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_connections_of_its_own(ledger):
    claim(ledger, "before")
    parents = connection_in_use(ledger)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            settle(ledger, claim(ledger, "in the child"))
            code = 2 if connection_in_use(ledger) is parents else 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert connection_in_use(ledger) is parents
    settle(ledger, claim(ledger, "after"))
    assert [key for _, key, _ in actions(ledger)] == ["in the child", "after"]
