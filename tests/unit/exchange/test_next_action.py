"""What follows from an answer, an error or a look-up: every case, without a system and without a ledger."""

from __future__ import annotations

import pytest

from pv_testing.core.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    IntegrationError,
    LedgerError,
    NetworkError,
    RateLimited,
    Rejected,
    ResponseError,
    ServerUnavailable,
)
from pv_testing.core.records import Found, Reply, Verdict
from pv_testing.exchange.next_action import (
    Facts,
    NextAction,
    Purpose,
    after_absence,
    after_error,
    after_look_up,
    after_reply,
    purpose_of,
)
from pv_testing.exchange.operation import OperationLimits

ONCE, REPEATABLE = OperationLimits(), OperationLimits(repeatable=True)
OURS = Facts(first_version=False, has_id=True, doubts_another=False, may_be_foreign=False, in_place=True)


def doubted(error: IntegrationError) -> IntegrationError:
    error.may_have_effect = True
    return error


def test_each_verdict_has_its_action() -> None:
    actions = {verdict: after_reply(Reply(verdict)) for verdict in Verdict}
    assert actions == {
        Verdict.OK: NextAction.CONFIRM,
        Verdict.REJECTED: NextAction.REFUSE,
        Verdict.RETRYABLE: NextAction.SEND,
        Verdict.AMBIGUOUS: NextAction.LOOK_UP,
    }


@pytest.mark.parametrize(
    ("error", "once", "repeatable"),
    [
        (Rejected("no"), NextAction.REFUSE, NextAction.REFUSE),
        (AmbiguousOutcome("?"), NextAction.LOOK_UP, NextAction.LOOK_UP),
        (ResponseError("?"), NextAction.LOOK_UP, NextAction.STOP),
        (NetworkError("no connection"), NextAction.STOP, NextAction.STOP),
        (AuthenticationError("who?"), NextAction.STOP, NextAction.STOP),
        (doubted(ServerUnavailable("503")), NextAction.LOOK_UP, NextAction.LOOK_UP),
        (doubted(AuthenticationError("401 of a proxy")), NextAction.LOOK_UP, NextAction.LOOK_UP),
        (LedgerError("the disk is full"), NextAction.LOOK_UP, NextAction.STOP),
    ],
)
def test_an_error_is_looked_up_unless_surely_nothing_was_done(
    error: IntegrationError, once: NextAction, repeatable: NextAction
) -> None:
    assert (after_error(error, 1, ONCE), after_error(error, 1, REPEATABLE)) == (once, repeatable)


def test_a_refused_batch_is_split_until_the_refused_record_is_alone() -> None:
    assert [after_error(Rejected("no"), size, ONCE) for size in (40, 2, 1)] == [
        NextAction.SPLIT,
        NextAction.SPLIT,
        NextAction.REFUSE,
    ]


def test_a_refusal_is_sent_again_only_where_time_can_mend_it() -> None:
    limited, stranger = doubted(RateLimited("429", retry_after=1)), doubted(AuthenticationError("401"))
    assert {purpose_of(error, ONCE) for error in (limited, stranger)} == {Purpose.REFUSAL}
    assert after_absence(Purpose.REFUSAL, 3, limited) is NextAction.SEND
    assert after_absence(Purpose.REFUSAL, 1, limited) is NextAction.STOP
    assert after_absence(Purpose.REFUSAL, 3, stranger) is NextAction.STOP


def test_what_is_surely_absent_is_sent_until_the_last_round() -> None:
    assert purpose_of(AmbiguousOutcome("?"), ONCE) is Purpose.CLARIFY
    assert [after_absence(Purpose.CLARIFY, rounds, None) for rounds in (4, 2, 1)] == [
        NextAction.SEND,
        NextAction.SEND,
        NextAction.DEFER,
    ]
    assert after_absence(Purpose.OLDER, 4, None) is NextAction.CLAIM


@pytest.mark.parametrize(
    ("found", "facts", "action"),
    [
        (None, OURS, NextAction.LOOK_UP),
        (Found("1"), OURS, NextAction.ADOPT),
        (Found("1", in_effect=False), OURS, NextAction.LOOK_UP),
        (Found("1", copies=2), OURS, NextAction.WAIT),
        (Found("1", unclear="others"), OURS, NextAction.DEFER),
        (Found("1", copies=2, unclear="others"), OURS, NextAction.DEFER),
        (Found("1"), OURS._replace(doubts_another=True), NextAction.LOOK_UP),
        (Found("1"), OURS._replace(doubts_another=True, in_place=False), NextAction.ADOPT),
        (Found("1", in_effect=False), Facts(True, False, False, True, True), NextAction.WAIT),
        (Found("1", in_effect=True), Facts(True, False, False, True, True), NextAction.ADOPT),
        (Found("1", in_effect=False), Facts(True, False, False, False, True), NextAction.LOOK_UP),
        (Found("1", in_effect=False), Facts(True, False, True, True, False), NextAction.ADOPT),
    ],
)
def test_a_look_up_decides_by_what_it_shows_and_what_is_known(found, facts, action) -> None:
    assert after_look_up(found, facts) is action
