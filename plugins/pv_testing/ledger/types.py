"""What the ledger takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from pv_testing.core.reasons import Reason
from pv_testing.core.records import NOTHING, Result
from pv_testing.ledger.storable import id_problem


class State(str, Enum):
    """What is known of a record in a system."""

    IN_FLIGHT = "in_flight"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    RELEASED = "released"


class Decision(str, Enum):
    """What the owner of a claim may do.

    ``NEW`` and ``CHANGED``: send. ``UNCHANGED``: nothing, it is in effect. ``BUSY``: another attempt holds it.
    ``RESOLVE``: an earlier attempt may have sent it, so look it up before anything is sent. ``WAITING``: it was refused
    with the same content, and it is a person's turn.

    Attributes:
        held: whether the claimant now holds the record and must settle it.
    """

    held: bool

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    BUSY = "busy"
    RESOLVE = "resolve"
    WAITING = "waiting"

    def __init__(self, name: str) -> None:
        self.held = name in {"new", "changed", "resolve"}


class Claim(NamedTuple):
    """A wish to bring one version of a record into effect.

    Attributes:
        key: the business key, unique for its kind in its system.
        fingerprint: SHA-256 of the mapped payload.
    """

    key: str
    fingerprint: str


class Row(NamedTuple):
    """A record in the ledger; the order of the fields is that of the SELECT.

    Attributes:
        key: the business key.
        state: one of :class:`State`, as text.
        fingerprint: of the version that ``state`` speaks of.
        confirmed: fingerprint of the version in effect, or empty.
        revision: number of the version in effect, 0 while none is.
        external_id: the record's id in the system, or empty.
        unresolved_fingerprint: of an earlier version that may have been sent, or empty.
        code: reason code of the last refusal, or empty.
        reason: the same in words.
        token: the newest fencing token.
        owner: who claimed it last.
        lease_until: end of the last lease, epoch seconds.
        before_state: ``state`` before the last claim.
        before_fingerprint: ``fingerprint`` before the last claim.
    """

    key: str
    state: str
    fingerprint: str = ""
    confirmed: str = ""
    revision: int = 0
    external_id: str = ""
    unresolved_fingerprint: str = ""
    code: str = ""
    reason: str = ""
    token: int = 0
    owner: str = ""
    lease_until: float = 0.0
    before_state: str = State.RELEASED.value
    before_fingerprint: str = ""


@dataclass(slots=True)
class Claimed:
    """The ledger's answer to a claim.

    Attributes:
        system: the system the record goes to.
        kind: what the record is, such as ``sample``.
        key: the business key.
        fingerprint: of the version that was asked for.
        decision: what the claimant may do.
        token: the fencing token; each claim of a record gets a higher one, and only the newest can be settled.
        external_id: the record's id in the system, where it is known.
        revision: the number that this version gets when it takes effect; 1 for the first.
        unresolved_fingerprint: with ``RESOLVE``, of the version that may have been sent. Where it isn't
            ``fingerprint``, settle the look-up by itself, ``ADOPTED`` or ``DEFERRED`` with the code ``ABSENT`` or
            ``ALTERED``, and claim again: adopting confirms the unresolved version, not the one that was asked for.
        code: with ``WAITING``, the reason code of the refusal.
        reason: with ``WAITING``, the same in words.
        owner: who holds the record or held it last.
        lease_until: when the lease ends, in epoch seconds of :meth:`Ledger.now`.
        absent: whether a person has said since the last attempt that the system doesn't hold the record.
        rejected: with ``WAITING``, whether the system itself has refused the record.
        row: the record as the claim has left it, where it is held.
    """

    system: str
    kind: str
    key: str
    fingerprint: str
    decision: Decision
    token: int
    external_id: str
    revision: int
    unresolved_fingerprint: str
    code: str
    reason: str
    owner: str
    lease_until: float
    absent: bool = False
    rejected: bool = False
    row: Row | None = field(default=None, compare=False, repr=False)


class Settlement(NamedTuple):
    """What became of a claimed record.

    A record that took effect under an id which no database can keep waits for a person (``ID_UNUSABLE``).

    Attributes:
        claimed: the claim that is settled.
        result: what became of the record. ``UNCHANGED`` takes the version as in effect without a new revision. What
            ``DEFERRED`` means, the code decides: ``NOT_SENT`` puts the record back to what it was before the claim;
            ``ABSENT`` says that a look-up has shown no unresolved version in effect; ``ALTERED`` says that the record
            is there in an unknown version, so that the next claim sends; with any other code it may have been sent.
        external_id: its id in the system; empty keeps the one that is known.
        code: a short reason code, where it is not in effect.
        reason: the same in words for a person.
        sent: whether this attempt has sent it and doesn't know that it had no effect. Where the settlement is refused,
            the record is in doubt again, whoever holds it.
        facts: the record as it was before mapping, for those who are told of events; nothing of it is kept otherwise.
        overwritten: with ``REJECTED``, whether an earlier try may have put another version in place of the one in
            effect, and no look-up tells. Then none is known to be in effect, and whatever is wanted next is sent.
    """

    claimed: Claimed
    result: Result
    external_id: str = ""
    code: str = ""
    reason: str = ""
    sent: bool = False
    facts: Mapping[str, Any] = NOTHING
    overwritten: bool = False

    def storable(self) -> Settlement:
        """Return the settlement without an id that no database can keep."""
        problem = id_problem(self.external_id)
        if not problem:
            return self
        if not self.result.in_effect:
            return self._replace(external_id="")
        return self._replace(external_id="", result=Result.QUARANTINED, code=Reason.ID_UNUSABLE, reason=problem)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that could not be mapped, and why.

    Attributes:
        key: the business key.
        fingerprint: SHA-256 of the record as it came, so that the same refusal is noted once.
        code: a short reason code.
        reason: the same in words for a person.
    """

    key: str
    fingerprint: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of one record.

    Attributes:
        system: the system.
        kind: what the record is.
        key: the business key.
        state: of the version that ``fingerprint`` names.
        external_id: its id in the system, where it is known.
        revision: of the version in effect; 0 while none is.
        fingerprint: of the version that ``state`` speaks of.
        code: a short reason code, where it waits.
        reason: the same in words.
        owner: who claimed it last.
        lease_until: end of the last lease, epoch seconds.
        changed_at: when the entry changed last, epoch seconds.
        in_doubt: whether another version may be in effect, because an attempt has not come to its end.
    """

    system: str
    kind: str
    key: str
    state: State
    external_id: str
    revision: int
    fingerprint: str
    code: str
    reason: str
    owner: str
    lease_until: float
    changed_at: float
    in_doubt: bool


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One record of the audit trail; see :mod:`pv_testing.ledger.audit` for how they are chained.

    Attributes:
        sequence: 1 for the first, dense.
        at: RFC 3339 in UTC with milliseconds, never before its predecessor.
        owner: who acted.
        action: what was done, such as ``settle`` or ``release``.
        system: the system concerned, or empty.
        kind: what the record is, or empty.
        key: the business key, or empty.
        result: what became of the record, or empty.
        external_id: its id in the system, or empty.
        fingerprint: of the version concerned, or empty.
        detail: anything else that the action has to say.
        previous: the hash of the record before; 64 zeros for the first.
        hash: SHA-256 of everything above.
    """

    sequence: int
    at: str
    owner: str
    action: str
    system: str
    kind: str
    key: str
    result: str
    external_id: str
    fingerprint: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """An audit trail that verifies.

    Attributes:
        count: how many records it has.
        head: the hash of the last one; note it elsewhere to prove later that nothing before it was rewritten.
        first_at: the time of the first record, or empty.
        last_at: the time of the last record, or empty.
        records: how many records the ledger knows, all of which the trail explains.
        watermarks: how many watermarks it keeps, all of which the trail explains.
    """

    count: int
    head: str
    first_at: str = ""
    last_at: str = ""
    records: int = 0
    watermarks: int = 0
