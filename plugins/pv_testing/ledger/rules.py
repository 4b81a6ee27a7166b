"""The life of a record as pure functions: what a claim may do, and what a claim and a settlement make of the record.

::

    (none) ──claim──> in_flight ──created, updated, adopted──> confirmed
                        │  ▲ ├────rejected────────────────────> rejected ────release──> released
                        │  │ ├────quarantined─────────────────> quarantined ─release──> released
                        │  │ ├────deferred, not sent──────────> what it was before
                        │  │ ├────deferred, absent────────────> confirmed or released, without doubt
                        │  │ ├────deferred, altered───────────> released, whatever was confirmed before
                        │  │ └────deferred, maybe sent────────> unknown
                        │  └─ claim with a look-up first: lease expired, unknown, or released in doubt

*Doubt* is the heart of it. A version that may have been sent stays unresolved until a look-up, the system's own
refusal or a person says what became of it; while there is doubt, no claim may send before a look-up.
"""

from __future__ import annotations

from pv_testing.core.reasons import Reason
from pv_testing.core.records import Result
from pv_testing.ledger.types import Claimed, Decision, Refusal, Row, Settlement, State

# The states as the database has them; an enum's .value costs more than the decision it is used for.
_CONFIRMED = State.CONFIRMED.value
_IN_FLIGHT = State.IN_FLIGHT.value
_UNKNOWN = State.UNKNOWN.value
_REJECTED = State.REJECTED.value
_QUARANTINED = State.QUARANTINED.value
_RELEASED = State.RELEASED.value
WRONG_IN_SYSTEM = frozenset({Reason.CONTENT_DIFFERS, Reason.DUPLICATE_IN_SYSTEM})
"""What a look-up has shown, and only a person can put right in the system."""
BY_HAND_ONLY = WRONG_IN_SYSTEM | {Reason.NO_LOOKUP}
"""What only a person who has looked at the record may release; a replay leaves it waiting."""
DISPUTED_FIELDS = {
    "state": "state",
    "fingerprint": "fingerprint",
    "doubtful": "unresolved_fingerprint",
    "code": "code",
    "reason": "reason",
}
"""What a dispute may change of a :class:`Row`, under the name that the audit trail has for it."""
_DISPUTE = "an attempt that had lost the record has sent it all the same; the next one looks up what became of it"
_FATE_UNKNOWN = frozenset({_IN_FLIGHT, _UNKNOWN})
_REFUSED = frozenset({_REJECTED, _QUARANTINED})


def unheard_of(key: str) -> Row:
    """Return the row of a record that the ledger doesn't know yet."""
    return Row(key, _RELEASED)


def unresolved_version(row: Row) -> str:
    """Return the fingerprint of the version that may have been sent without the ledger knowing its fate, or empty."""
    if row.state in _FATE_UNKNOWN:
        return row.unresolved_fingerprint or row.fingerprint
    return row.unresolved_fingerprint


def in_doubt(row: Row) -> bool:
    """Whether an attempt of ours may have brought a version into effect that the ledger doesn't know to be in effect.

    Of a record that waits as ``CONTENT_DIFFERS`` a look-up has shown the content. Its version stays unresolved all the
    same, so that it is looked up again after its release.
    """
    if row.code == Reason.CONTENT_DIFFERS and row.state in {_QUARANTINED, _RELEASED}:
        return False
    return bool(unresolved_version(row))


def decide(row: Row | None, fingerprint: str, now: float) -> Decision:
    """Say what a claimant may do with a record.

    Args:
        row: what the ledger knows; ``None`` when it knows nothing.
        fingerprint: of the version that is to take effect.
        now: epoch seconds on the ledger's clock.
    """
    if row is None:
        return Decision.NEW
    if row.state == _CONFIRMED:
        return Decision.UNCHANGED if row.fingerprint == fingerprint else Decision.CHANGED
    if row.state == _IN_FLIGHT and row.lease_until > now:
        return Decision.BUSY
    if row.state in _REFUSED and (row.fingerprint == fingerprint or _wrong_in_system(row)):
        return Decision.WAITING
    if row.unresolved_fingerprint or row.state in _FATE_UNKNOWN:
        return Decision.RESOLVE
    if row.confirmed:
        return Decision.UNCHANGED if row.confirmed == fingerprint else Decision.CHANGED
    return Decision.NEW


def _wrong_in_system(row: Row) -> bool:
    """Whether a look-up has shown a second copy or other content, which no new content puts right.

    The same word in a system's own refusal decides nothing.
    """
    return row.state == _QUARANTINED and row.code in WRONG_IN_SYSTEM


def writes(row: Row | None, decision: Decision) -> bool:
    """Whether the decision changes the row: a claim does, and so does the return to the version in effect."""
    if decision is Decision.UNCHANGED:
        return row is not None and row.state != _CONFIRMED
    return decision.held


def take(row: Row, fingerprint: str, decision: Decision, owner: str, lease_until: float) -> Row:
    """Return the row after a claim that its owner holds."""
    unresolved = unresolved_version(row) if decision is Decision.RESOLVE else ""
    return Row(  # every field by hand: _replace costs three times as much, and this runs for every record
        row.key,
        _IN_FLIGHT,
        fingerprint,
        row.confirmed,
        row.revision,
        row.external_id,
        unresolved,
        row.code,
        row.reason,
        row.token + 1,
        owner,
        lease_until,
        _UNKNOWN if decision is Decision.RESOLVE else row.state,
        unresolved if decision is Decision.RESOLVE else row.fingerprint,
    )


def restore(row: Row) -> Row:
    """Return the row after a claim for the version that is in effect, although a later one was refused."""
    return row._replace(state=_CONFIRMED, fingerprint=row.confirmed, code="", reason="")


def holds(row: Row | None, claimed: Claimed) -> bool:
    """Whether the claim is the newest one and not settled yet."""
    return row is not None and row.state == _IN_FLIGHT and row.token == claimed.token


def settle(row: Row, settlement: Settlement) -> Row:
    """Return the row after its holder has said what became of it."""
    result = settlement.result
    if result.in_effect:
        return _confirm(row, settlement)
    row = row._replace(external_id=settlement.external_id or row.external_id, lease_until=0.0)
    if result is Result.DEFERRED and settlement.code == Reason.NOT_SENT:
        return row._replace(state=row.before_state, fingerprint=row.before_fingerprint)
    if result is Result.DEFERRED and settlement.code == Reason.ABSENT:
        state = _CONFIRMED if row.confirmed else _RELEASED
        return row._replace(state=state, fingerprint=row.confirmed, unresolved_fingerprint="", code="", reason="")
    if result is Result.DEFERRED and settlement.code == Reason.ALTERED:
        return _overwritten(row)._replace(
            state=_RELEASED, fingerprint="", unresolved_fingerprint="", code="", reason=""
        )
    row = row._replace(code=settlement.code, reason=settlement.reason)
    if result is Result.DEFERRED:
        return row._replace(state=_UNKNOWN, unresolved_fingerprint=unresolved_version(row))
    if result is Result.REJECTED:
        known = _overwritten(row) if settlement.overwritten else row
        return known._replace(state=_REJECTED, unresolved_fingerprint="")
    return row._replace(state=_QUARANTINED, unresolved_fingerprint=unresolved_version(row))


def _overwritten(row: Row) -> Row:
    """Return the row of which another version than the confirmed one may be in effect.

    The version in doubt counts as one, so that no idempotency key of it is ever used for a later one.
    """
    return row._replace(confirmed="", revision=row.revision + 1)


def _confirm(row: Row, settlement: Settlement) -> Row:
    adopted = settlement.result is Result.ADOPTED
    fingerprint = (row.unresolved_fingerprint if adopted else "") or row.fingerprint
    same_version = settlement.result is Result.UNCHANGED and row.revision > 0
    return Row(
        row.key,
        _CONFIRMED,
        fingerprint,
        fingerprint,
        row.revision if same_version else row.revision + 1,
        settlement.external_id or row.external_id,
        "",
        "",
        "",
        row.token,
        row.owner,
        0.0,
        row.before_state,
        row.before_fingerprint,
    )


def dispute(row: Row, settlement: Settlement) -> Row:
    """Return the row after an attempt has sent a version although another one had taken the record over.

    The version that was sent is in doubt, so that nothing is sent before a look-up; who holds the record loses it.
    Where that very version is confirmed, the row stays: whether there are two of it, only a look-up can tell.

    Args:
        row: what the ledger knows now.
        settlement: what the late attempt has to say.
    """
    fingerprint = settlement.claimed.fingerprint
    if row.state == _CONFIRMED and row.fingerprint == fingerprint:
        return row
    row = row._replace(unresolved_fingerprint=unresolved_version(row) or fingerprint)
    if row.state in _REFUSED:
        return row
    return row._replace(state=_UNKNOWN, token=row.token + 1, lease_until=0.0, code=Reason.DISPUTED, reason=_DISPUTE)


def suspect(row: Row, refusal: Refusal, owner: str) -> Row:
    """Return the row of a record of which the system holds more than one, whatever was believed of it before.

    What was confirmed is in doubt again: after a person has put it right, a look-up confirms it under its revision.
    """
    confirmed = row.state == _CONFIRMED
    return refuse(row, refusal, owner)._replace(
        fingerprint=row.fingerprint or refusal.fingerprint,
        unresolved_fingerprint=unresolved_version(row) or row.fingerprint or refusal.fingerprint,
        confirmed="" if confirmed else row.confirmed,
        revision=row.revision - 1 if confirmed else row.revision,
    )


def refuse(row: Row, refusal: Refusal, owner: str) -> Row:
    """Return the row of a record that could not be mapped; earlier claims of it can't be settled any more."""
    return row._replace(
        state=_QUARANTINED,
        fingerprint=refusal.fingerprint,
        unresolved_fingerprint=unresolved_version(row),
        code=refusal.code,
        reason=refusal.reason,
        token=row.token + 1,
        owner=owner,
        lease_until=0.0,
    )


def refused_before(row: Row, refusal: Refusal) -> bool:
    """Whether the very same refusal is noted already."""
    return row.fingerprint == refusal.fingerprint and _waits_because_of(row, refusal)


def suspected_before(row: Row, refusal: Refusal) -> bool:
    """Whether the record waits already with the very same reason, in doubt."""
    return bool(row.unresolved_fingerprint) and _waits_because_of(row, refusal)


def _waits_because_of(row: Row, refusal: Refusal) -> bool:
    return row.state == _QUARANTINED and (row.code, row.reason) == (refusal.code, refusal.reason)


def release(row: Row, *, absent: bool) -> Row:
    """Return the row after a person has let it be tried again.

    Where the system offers no look-up, the release itself is the person's word that the record isn't there.

    Args:
        row: a record that waits.
        absent: whether the person has seen that the system doesn't hold the unresolved version.
    """
    if absent:
        # A second copy had been sent under this revision; a product that knows its idempotency key would do nothing.
        spent = row.code == Reason.DUPLICATE_IN_SYSTEM
        return row._replace(
            state=_RELEASED, unresolved_fingerprint="", code=Reason.ABSENT, reason="", revision=row.revision + spent
        )
    unresolved = "" if row.code == Reason.NO_LOOKUP else row.unresolved_fingerprint
    return row._replace(state=_RELEASED, unresolved_fingerprint=unresolved)


def seen_absent(row: Row) -> bool:
    """Whether a person has said of the record that it isn't in the system, and nothing was sent since."""
    return row.state == _RELEASED and row.code == Reason.ABSENT


def confirm(row: Row, external_id: str) -> Row:
    """Return the row after a person has seen the unresolved or refused version in the system."""
    fingerprint = unresolved_version(row) or row.fingerprint
    return row._replace(
        state=_CONFIRMED,
        fingerprint=fingerprint,
        confirmed=fingerprint,
        revision=row.revision + 1,
        external_id=external_id or row.external_id,
        unresolved_fingerprint="",
        code="",
        reason="",
    )
