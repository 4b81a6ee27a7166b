"""What follows from an answer, an error or a look-up, as pure functions; the chunk does what they say.

::

    send ──ok──────────────────────────> CONFIRM
      │ ├──refused─────────────────────> REFUSE, a batch of several: SPLIT
      │ ├──not taken───────────────────> SEND, after the wait that the system asks for
      │ ├──surely not done─────────────> STOP: the exchange ends, the record is as it was
      │ └──may have been done──────────> LOOK_UP
      ▼
    look-up ──in effect────────────────> ADOPT
      │ ├──several of it───────────────> WAIT: a person decides
      │ ├──somebody else's, by content─> WAIT
      │ ├──doesn't tell────────────────> DEFER: the next attempt looks it up first
      │ └──not there, or another version──> once more after the horizon, then by why it was looked up
      ▼
    not there ──it was in doubt────────> SEND, or DEFER after the last round
        ├──refused, but maybe done─────> SEND or STOP, as the refusal says
        ├──an older version in doubt───> CLAIM the wanted one anew
        └──looked up before the first request──> SEND
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from pv_testing.core.errors import (
    Action,
    AuthenticationError,
    ConfigError,
    IntegrationError,
    NetworkError,
    RateLimited,
    SecurityError,
)
from pv_testing.core.records import Found, Reply, Verdict
from pv_testing.exchange.operation import OperationLimits

# Of a request that must not be repeated, the transports raise these only before it is sent, or on the system's own word
# that nothing was done. Of everything else, such as an answer that can't be read, only a look-up can tell.
NOTHING_DONE = (AuthenticationError, ConfigError, NetworkError, RateLimited, SecurityError)


class NextAction(Enum):
    """What follows for a record, or for a batch of them."""

    CONFIRM = "it is in effect"
    ADOPT = "it is in effect, as a look-up has shown"
    REFUSE = "the system refuses it"
    SEND = "it is sent, once more where it was sent before"
    SPLIT = "the batch is sent in two halves"
    LOOK_UP = "a look-up must tell what became of it"
    CLAIM = "the wanted version is claimed anew"
    WAIT = "a person decides"
    DEFER = "the next attempt looks it up first"
    STOP = "nothing more is sent in this exchange"


class Purpose(Enum):
    """Why a record is looked up."""

    ADOPT = "it may be there, whoever has made it"
    OLDER = "an earlier version of it may have been sent"
    CLARIFY = "it may have been sent"
    REFUSAL = "it was refused, perhaps after it took effect"


class Facts(NamedTuple):
    """What is known of a record when a look-up has found it.

    Attributes:
        first_version: whether the ledger knows no version of it in effect, by id or by revision.
        has_id: whether the ledger knows its id in the system.
        doubts_another: whether an earlier version than the wanted one may have been sent.
        may_be_foreign: whether somebody may have made it by hand under the same key.
        in_place: whether a change overwrites it.
    """

    first_version: bool
    has_id: bool
    doubts_another: bool
    may_be_foreign: bool
    in_place: bool


_AFTER_REPLY = {
    Verdict.OK: NextAction.CONFIRM,
    Verdict.REJECTED: NextAction.REFUSE,
    Verdict.RETRYABLE: NextAction.SEND,
    Verdict.AMBIGUOUS: NextAction.LOOK_UP,
}


def after_reply(reply: Reply) -> NextAction:
    """Say what follows from a system's word about one record."""
    return _AFTER_REPLY[reply.verdict]


def after_error(error: IntegrationError, size: int, limits: OperationLimits) -> NextAction:
    """Say what follows from an error that speaks of a whole batch.

    Args:
        error: what was raised.
        size: how many records the batch has.
        limits: whether the operation may be repeated.
    """
    if error.action in {Action.REJECT, Action.QUARANTINE}:
        return NextAction.REFUSE if size == 1 else NextAction.SPLIT
    not_done = limits.repeatable or isinstance(error, NOTHING_DONE)
    if error.action is Action.RESOLVE or not not_done or error.may_have_effect:
        return NextAction.LOOK_UP
    return NextAction.STOP


def purpose_of(error: IntegrationError, limits: OperationLimits) -> Purpose:
    """Say why records are looked up after an error; the arguments are those of :func:`after_error`."""
    refused = error.action is not Action.RESOLVE and (limits.repeatable or isinstance(error, NOTHING_DONE))
    return Purpose.REFUSAL if refused else Purpose.CLARIFY


def after_look_up(found: Found | None, facts: Facts) -> NextAction:
    """Say what follows from what a look-up shows of a record; ``LOOK_UP`` where it isn't there, or not as wanted."""
    if found is None:
        return NextAction.LOOK_UP
    if found.unclear:
        return NextAction.DEFER
    unknown = facts.first_version and not facts.doubts_another
    if found.copies > 1 or (facts.may_be_foreign and unknown and not found.in_effect):
        return NextAction.WAIT
    if facts.doubts_another and facts.in_place:
        return NextAction.LOOK_UP
    if found.in_effect or (not facts.has_id and facts.doubts_another):
        return NextAction.ADOPT
    return NextAction.LOOK_UP


def after_absence(purpose: Purpose, rounds: int, error: IntegrationError | None) -> NextAction:
    """Say what follows where two look-ups have not shown a record as it is wanted.

    Args:
        purpose: why it was looked up.
        rounds: how often it may be sent yet, counting the time before.
        error: the refusal, where that was the reason.
    """
    if purpose is Purpose.OLDER:
        return NextAction.CLAIM
    if purpose is Purpose.REFUSAL:
        again = rounds > 1 and isinstance(error, (NetworkError, RateLimited))
        return NextAction.SEND if again else NextAction.STOP
    return NextAction.SEND if rounds > 1 else NextAction.DEFER
