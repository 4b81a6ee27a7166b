"""The ledger keeps reason codes as plain text, whether it is given a member of the enum or a system's own word."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import create_engine, text

from pv_testing.core.reasons import Reason
from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Decision, Ledger, Refusal, Settlement, State, rules
from pv_testing.ledger.store import parse
from pv_testing.ledger.types import Row


def stored(url: str) -> dict[str, str]:
    """Return what the table holds as the code of each record."""
    engine = create_engine(parse(url))
    with engine.connect() as connection:
        codes = dict(map(tuple, connection.execute(text("SELECT key, code FROM ledger_record"))))
    engine.dispose()
    return codes


def test_the_column_holds_the_text_of_each_code(ledger: Ledger, url: str) -> None:
    keys = [reason.name for reason in Reason]
    claimed = ledger.claim("lims", "sample", [Claim(key, "a") for key in [*keys, "theirs"]], owner="o", lease=60)
    waits = [Settlement(one, Result.QUARANTINED, code=Reason[one.key], reason="why") for one in claimed[:-1]]
    refused = Settlement(claimed[-1], Result.REJECTED, code="INVALID_TRANSITION", reason="why")
    assert ledger.settle([*waits, refused], owner="o") == []
    ledger.quarantine("lims", "sample", [Refusal("unmapped", "b", Reason.UNIT_MISSING, "no unit")], owner="o")
    ledger.release("lims", "sample", ["NO_LOOKUP"], owner="o", absent=True)
    wanted = {key: key for key in keys} | {"theirs": "INVALID_TRANSITION", "unmapped": "UNIT_MISSING"}
    assert stored(url) == wanted | {"NO_LOOKUP": "ABSENT"}
    codes = {event.key: event.detail["code"] for event in ledger.events() if event.action != "release"}
    assert codes == wanted
    assert {type(entry.code) for entry in ledger.entries("lims", "sample")} == {str}
    assert ledger.verify().records == len(keys) + 2


def test_a_systems_own_word_does_not_decide_what_ours_does(ledger: Ledger) -> None:
    ours, theirs = ledger.claim("lims", "sample", [Claim("ours", "a"), Claim("theirs", "a")], owner="o", lease=60)
    code = str(Reason.CONTENT_DIFFERS)
    ledger.settle(
        [Settlement(ours, Result.QUARANTINED, code=code), Settlement(theirs, Result.REJECTED, code=code)], owner="o"
    )
    answers = ledger.peek("lims", "sample", [Claim("ours", "b"), Claim("theirs", "b")])
    assert [answer.decision for answer in answers] == [Decision.WAITING, Decision.NEW]


@pytest.mark.parametrize("state", State)
def test_what_a_claim_would_look_up_is_in_doubt_and_nothing_else(state: State) -> None:
    for unresolved, code in itertools.product(["", "older"], ["", Reason.AMBIGUOUS, Reason.CONTENT_DIFFERS]):
        row = Row("k", state.value, "a", unresolved_fingerprint=unresolved, code=code)
        looked_up = rules.decide(row, "b", now=1.0) is Decision.RESOLVE
        if state in {State.QUARANTINED, State.RELEASED} and code == Reason.CONTENT_DIFFERS:
            assert not rules.in_doubt(row)  # a look-up has shown the content; it is made again after the release
        elif state is State.CONFIRMED:
            assert not looked_up
        else:
            assert rules.in_doubt(row) == looked_up == bool(rules.unresolved_version(row))


def test_a_claim_a_peek_and_an_entry_say_the_same_of_doubt(ledger: Ledger) -> None:
    (claimed,) = ledger.claim("lims", "sample", [Claim("k", "a")], owner="o", lease=60)
    ledger.settle([Settlement(claimed, Result.DEFERRED, code=Reason.AMBIGUOUS)], owner="o")
    (peeked,) = ledger.peek("lims", "sample", [Claim("k", "b")])
    (entry,) = ledger.entries("lims", "sample")
    (again,) = ledger.claim("lims", "sample", [Claim("k", "b")], owner="o", lease=60)
    assert peeked.unresolved_fingerprint == again.unresolved_fingerprint == "a"
    assert entry.in_doubt
    assert ledger.in_doubt("lims", "sample", ["k"]) == {"k"}
