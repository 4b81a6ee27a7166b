"""The life of a record: every state against every claim, and what settlements, refusals and releases make of it."""

from __future__ import annotations

import pytest

from pv_testing.core.records import Result
from pv_testing.ledger import Claimed, Decision, Refusal, Settlement, rules
from pv_testing.ledger.types import Row

NOW = 1000.0
LIVE, EXPIRED = NOW + 1, NOW


def row(state: str, fingerprint: str = "new", **known) -> Row:
    return Row("SR-1/SN1", state, fingerprint, **known)


@pytest.mark.parametrize(
    ("known", "asked", "decision"),
    [
        (None, "new", Decision.NEW),
        # confirmed
        (row("confirmed", "old", confirmed="old"), "old", Decision.UNCHANGED),
        (row("confirmed", "old", confirmed="old"), "new", Decision.CHANGED),
        # in flight: whoever asks for whatever waits for the lease, and then looks the record up
        (row("in_flight", lease_until=LIVE), "new", Decision.BUSY),
        (row("in_flight", lease_until=LIVE), "other", Decision.BUSY),
        (row("in_flight", lease_until=LIVE, confirmed="old"), "old", Decision.BUSY),
        (row("in_flight", lease_until=LIVE, unresolved_fingerprint="older"), "new", Decision.BUSY),
        (row("in_flight", lease_until=EXPIRED), "new", Decision.RESOLVE),
        (row("in_flight", lease_until=EXPIRED), "other", Decision.RESOLVE),
        (row("in_flight", lease_until=EXPIRED, confirmed="old"), "old", Decision.RESOLVE),
        (row("in_flight", "", lease_until=EXPIRED), "new", Decision.RESOLVE),
        # unknown: even the version in effect before can't be taken for granted
        (row("unknown"), "new", Decision.RESOLVE),
        (row("unknown"), "other", Decision.RESOLVE),
        (row("unknown", confirmed="old"), "old", Decision.RESOLVE),
        # refused
        (row("rejected"), "new", Decision.WAITING),
        (row("rejected"), "other", Decision.NEW),
        (row("rejected", confirmed="old"), "old", Decision.UNCHANGED),
        (row("rejected", confirmed="old"), "other", Decision.CHANGED),
        (row("quarantined"), "new", Decision.WAITING),
        (row("quarantined"), "other", Decision.NEW),
        (row("quarantined", confirmed="old"), "old", Decision.UNCHANGED),
        (row("quarantined", confirmed="old"), "other", Decision.CHANGED),
        (row("quarantined", unresolved_fingerprint="new"), "new", Decision.WAITING),
        (row("quarantined", unresolved_fingerprint="new"), "other", Decision.RESOLVE),
        (row("quarantined", unresolved_fingerprint="new", confirmed="old"), "old", Decision.RESOLVE),
        # released
        (row("released"), "new", Decision.NEW),
        (row("released", ""), "new", Decision.NEW),
        (row("released", confirmed="old"), "new", Decision.CHANGED),
        (row("released", confirmed="old"), "old", Decision.UNCHANGED),
        (row("released", unresolved_fingerprint="new"), "new", Decision.RESOLVE),
        (row("released", unresolved_fingerprint="new", confirmed="old"), "old", Decision.RESOLVE),
    ],
)
def test_each_state_decides_each_claim(known, asked, decision):
    assert rules.decide(known, asked, NOW) is decision


def test_no_state_is_missing_from_the_decisions():
    for state in rules.State:
        for unresolved in ("", "doubt"):
            for confirmed in ("", "old"):
                for lease in (LIVE, EXPIRED):
                    known = row(state.value, unresolved_fingerprint=unresolved, confirmed=confirmed, lease_until=lease)
                    for asked in ("new", "old", "doubt", "other"):
                        decision = rules.decide(known, asked, NOW)
                        in_doubt = bool(unresolved) or state.value in {"in_flight", "unknown"}
                        assert isinstance(decision, Decision)
                        if in_doubt and state.value != "confirmed":
                            assert decision in {Decision.BUSY, Decision.RESOLVE, Decision.WAITING}


def claimed(known: Row) -> Claimed:
    token = known.token
    return Claimed("lims", "sample", known.key, known.fingerprint, Decision.NEW, token, "", 1, "", "", "", "", 0.0)


def settled(known: Row, result: Result, **fields: str) -> Row:
    return rules.settle(known, Settlement(claimed(known), result, **fields))


FRESH = rules.take(rules.unheard_of("SR-1/SN1"), "a", Decision.NEW, "owner", LIVE)


@pytest.mark.parametrize("result", [Result.CREATED, Result.UPDATED, Result.ADOPTED])
def test_taking_effect_confirms_the_version_and_counts_it(result):
    after = settled(FRESH, result, external_id="LIM-1")
    assert (after.state, after.fingerprint, after.confirmed, after.revision, after.external_id) == (
        "confirmed", "a", "a", 1, "LIM-1",
    )  # fmt: skip


def test_a_claim_takes_a_higher_token_and_the_lease():
    assert (FRESH.state, FRESH.token, FRESH.owner, FRESH.lease_until) == ("in_flight", 1, "owner", LIVE)
    again = rules.take(FRESH._replace(lease_until=EXPIRED), "a", Decision.RESOLVE, "second", LIVE + 1)
    assert (again.token, again.owner, again.unresolved_fingerprint) == (2, "second", "a")


def test_an_amendment_keeps_the_version_in_effect_beside_the_new_one():
    confirmed = settled(FRESH, Result.CREATED, external_id="LIM-1")
    amended = rules.take(confirmed, "b", Decision.CHANGED, "owner", LIVE)
    assert (amended.fingerprint, amended.confirmed, amended.revision) == ("b", "a", 1)
    back = settled(amended, Result.DEFERRED, code="NOT_SENT")
    assert back._replace(token=1) == confirmed._replace(
        lease_until=0.0, before_state="confirmed", before_fingerprint="a"
    )
    assert rules.decide(back, "a", NOW) is Decision.UNCHANGED
    after = settled(amended, Result.UPDATED)
    assert (after.confirmed, after.revision, after.external_id) == ("b", 2, "LIM-1")


def test_a_rejected_amendment_leaves_the_earlier_version_in_effect():
    confirmed = settled(FRESH, Result.CREATED, external_id="LIM-1")
    after = settled(rules.take(confirmed, "b", Decision.CHANGED, "o", LIVE), Result.REJECTED, code="NO", reason="no")
    assert (after.state, after.confirmed, after.revision, after.code) == ("rejected", "a", 1, "NO")
    assert rules.decide(after, "b", NOW) is Decision.WAITING
    restored = rules.restore(after)
    assert rules.decide(after, "a", NOW) is Decision.UNCHANGED
    assert (restored.state, restored.fingerprint, restored.code) == ("confirmed", "a", "")


@pytest.mark.parametrize(
    "before",
    [
        rules.unheard_of("SR-1/SN1"),
        row("rejected", "x", code="NO", reason="no", token=3),
        row("quarantined", "x", code="NO", reason="no", token=3),
        row("confirmed", "x", confirmed="x", revision=2, external_id="LIM-1", token=3),
        row("released", "x", token=3),
    ],
)
def test_what_was_not_sent_is_what_it_was_before(before):
    decision = rules.decide(before, "new", NOW)
    after = settled(rules.take(before, "new", decision, "o", LIVE), Result.DEFERRED, code="NOT_SENT", reason="stopped")
    for name in (
        "state",
        "fingerprint",
        "confirmed",
        "revision",
        "external_id",
        "unresolved_fingerprint",
        "code",
        "reason",
    ):
        assert getattr(after, name) == getattr(before, name)
    assert after.token == before.token + 1


@pytest.mark.parametrize("asked", ["a", "b"])
def test_doubt_outlives_a_resolution_that_was_not_sent_or_failed(asked):
    unknown = settled(FRESH, Result.DEFERRED, code="AMBIGUOUS")
    resolving = rules.take(unknown, asked, Decision.RESOLVE, "o", LIVE)
    for after in (
        resolving._replace(lease_until=EXPIRED),
        settled(resolving, Result.DEFERRED, code="NOT_SENT"),
        settled(resolving, Result.DEFERRED, code="AMBIGUOUS"),
        settled(resolving, Result.QUARANTINED, code="LOOKUP_REFUSED"),
    ):
        assert rules.unresolved_version(after) == "a"
        assert after.state != "released"
        assert rules.decide(after, "c", NOW) is Decision.RESOLVE


def test_adopting_confirms_the_version_that_was_in_doubt_not_the_one_asked_for():
    unknown = settled(FRESH, Result.DEFERRED, code="AMBIGUOUS")
    after = settled(rules.take(unknown, "b", Decision.RESOLVE, "o", LIVE), Result.ADOPTED, external_id="LIM-1")
    assert (after.state, after.confirmed, after.revision, after.unresolved_fingerprint) == ("confirmed", "a", 1, "")
    assert rules.decide(after, "b", NOW) is Decision.CHANGED


def test_a_look_up_that_finds_nothing_ends_the_doubt():
    unknown = settled(FRESH, Result.DEFERRED, code="AMBIGUOUS")
    after = settled(rules.take(unknown, "b", Decision.RESOLVE, "o", LIVE), Result.DEFERRED, code="ABSENT")
    assert (after.state, after.unresolved_fingerprint) == ("released", "")
    assert rules.decide(after, "b", NOW) is Decision.NEW
    amended = settled(FRESH, Result.CREATED)
    amended = rules.take(amended, "b", Decision.CHANGED, "o", LIVE)
    amended = rules.take(amended._replace(lease_until=EXPIRED), "a", Decision.RESOLVE, "o", LIVE)
    after = settled(amended, Result.DEFERRED, code="ABSENT")
    assert (after.state, after.confirmed, after.revision) == ("confirmed", "a", 1)
    assert rules.decide(after, "a", NOW) is Decision.UNCHANGED


def test_unchanged_takes_a_version_as_in_effect_without_a_new_revision():
    confirmed = settled(FRESH, Result.CREATED)
    after = settled(rules.take(confirmed, "b", Decision.CHANGED, "o", LIVE), Result.UNCHANGED)
    assert (after.state, after.confirmed, after.revision) == ("confirmed", "b", 1)


@pytest.mark.parametrize("code", ["CONTENT_DIFFERS", "DUPLICATE_IN_SYSTEM"])
@pytest.mark.parametrize("content", ["a", "b"])
def test_what_a_look_up_shows_to_be_wrong_in_the_system_waits_whatever_content_is_wanted(code, content):
    waits = settled(FRESH, Result.QUARANTINED, code=code)
    assert rules.decide(waits, content, NOW) is Decision.WAITING
    assert rules.decide(rules.release(waits, absent=False), content, NOW) is Decision.RESOLVE
    assert rules.decide(settled(FRESH, Result.REJECTED, code=code), "b", NOW) is Decision.NEW


def test_a_release_looks_up_what_may_have_been_sent_unless_a_person_has_seen_that_it_is_absent():
    waits = settled(FRESH, Result.QUARANTINED, code="DUPLICATE_IN_SYSTEM")
    assert rules.decide(rules.release(waits, absent=False), "a", NOW) is Decision.RESOLVE
    assert rules.decide(rules.release(waits, absent=True), "a", NOW) is Decision.NEW
    rejected = settled(FRESH, Result.REJECTED, code="NO")
    assert rules.decide(rules.release(rejected, absent=False), "a", NOW) is Decision.NEW


def test_that_a_person_has_seen_a_record_absent_is_known_until_it_may_have_been_sent():
    confirmed = settled(FRESH, Result.CREATED)
    waits = settled(rules.take(confirmed, "b", Decision.CHANGED, "o", LIVE), Result.DEFERRED, code="AMBIGUOUS")
    assert not rules.seen_absent(rules.release(waits, absent=False))
    released = rules.release(waits, absent=True)
    assert (released.code, released.reason, released.revision) == ("ABSENT", "", 1)
    assert rules.seen_absent(released)
    again = rules.take(released, "c", Decision.CHANGED, "o", LIVE)
    assert not rules.seen_absent(again)
    assert rules.seen_absent(settled(again, Result.DEFERRED, code="NOT_SENT"))
    assert not rules.seen_absent(settled(again, Result.DEFERRED, code="AMBIGUOUS"))
    resolving = rules.take(again._replace(lease_until=EXPIRED), "c", Decision.RESOLVE, "o", LIVE)
    assert not rules.seen_absent(settled(resolving, Result.DEFERRED, code="NOT_SENT"))


def test_a_release_is_a_persons_word_where_there_is_no_look_up():
    waits = settled(FRESH, Result.QUARANTINED, code="NO_LOOKUP")
    assert rules.decide(rules.release(waits, absent=False), "a", NOW) is Decision.NEW


def test_a_refusal_of_a_record_in_doubt_keeps_the_doubt_and_fences_the_claim():
    refused = rules.refuse(FRESH._replace(lease_until=EXPIRED), Refusal(FRESH.key, "raw", "UNIT", "no unit"), "o")
    assert (refused.state, refused.unresolved_fingerprint, refused.code) == ("quarantined", "a", "UNIT")
    assert not rules.holds(refused, claimed(FRESH))
    assert rules.decide(refused, "b", NOW) is Decision.RESOLVE


def disputed(row: Row, fingerprint: str = "a") -> Row:
    claim = claimed(FRESH)
    claim.fingerprint = fingerprint
    return rules.dispute(row, Settlement(claim, Result.CREATED, "L-1", sent=True))


@pytest.mark.parametrize(
    "row",
    [
        FRESH,
        FRESH._replace(lease_until=EXPIRED),
        row("released", ""),
        row("released", confirmed="old"),
        row("rejected"),
        row("quarantined"),
        row("unknown"),
        row("confirmed", "b", confirmed="b", revision=1),
    ],
    ids=lambda row: row.state,
)
def test_what_was_sent_without_a_lease_is_in_doubt_whoever_holds_the_record(row):
    after = disputed(row)
    assert not rules.holds(after, claimed(row))
    assert rules.decide(after, "z", NOW) is Decision.RESOLVE


def test_a_version_that_is_confirmed_stays_so_when_it_was_sent_once_more():
    known = row("confirmed", "a", confirmed="a", revision=1)
    assert disputed(known) == known


@pytest.mark.parametrize("fingerprint", ["a", "z"])
def test_what_the_system_holds_twice_is_looked_up_after_a_person_has_put_it_right(fingerprint):
    known = row("confirmed", "a", confirmed="a", revision=1, external_id="L-1")
    waits = rules.suspect(known, Refusal(known.key, "a", "DUPLICATE_IN_SYSTEM", "two"), "o")
    assert (waits.state, waits.code, waits.revision) == ("quarantined", "DUPLICATE_IN_SYSTEM", 0)
    assert rules.decide(waits, "a", NOW) is Decision.WAITING
    assert rules.decide(rules.release(waits, absent=False), fingerprint, NOW) is Decision.RESOLVE
    again = rules.take(rules.release(waits, absent=False), "a", Decision.RESOLVE, "o", LIVE)
    adopted = settled(again, Result.ADOPTED)
    assert (adopted.state, adopted.confirmed, adopted.revision) == ("confirmed", "a", 1)


def test_an_attempt_that_holds_what_the_system_has_twice_loses_it():
    waits = rules.suspect(FRESH, Refusal(FRESH.key, "a", "DUPLICATE_IN_SYSTEM", "two"), "o")
    assert not rules.holds(waits, claimed(FRESH))
    assert rules.suspected_before(waits, Refusal(FRESH.key, "a", "DUPLICATE_IN_SYSTEM", "two"))


def test_only_the_newest_unsettled_claim_holds():
    assert rules.holds(FRESH, claimed(FRESH))
    assert not rules.holds(None, claimed(FRESH))
    assert not rules.holds(FRESH._replace(token=2), claimed(FRESH))
    assert not rules.holds(settled(FRESH, Result.CREATED), claimed(FRESH))


def test_a_person_confirms_the_unresolved_version():
    after = rules.confirm(settled(FRESH, Result.QUARANTINED, code="NO_LOOKUP"), "LIM-9")
    assert (after.state, after.confirmed, after.revision, after.external_id) == ("confirmed", "a", 1, "LIM-9")
