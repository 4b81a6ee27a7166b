"""What the events of the audit trail make of a record: the rules of its life, followed once more from its beginning.

Claims leave no events. What an attempt claimed and never settled is therefore not told; it only leads to a look-up.
Events that a release before the baseline wrote say less in two places; what they leave open is :data:`ANY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pv_testing.core.reasons import Reason
from pv_testing.core.records import Result
from pv_testing.ledger import rules
from pv_testing.ledger.rules import unresolved_version
from pv_testing.ledger.types import Claimed, Decision, Refusal, Row, Settlement, State

ANY = "\N{BULLET}"
_IN_FLIGHT, _UNKNOWN = State.IN_FLIGHT.value, State.UNKNOWN.value
_NO_CLAIM = Claimed("", "", "", "", Decision.NEW, 0, "", 0, "", "", "", "", 0.0)


class Told(NamedTuple):
    """What an event tells of one record.

    Attributes:
        sequence: its number.
        action: what was done.
        result: what became of the record.
        external_id: its id in the system.
        fingerprint: of the version concerned.
        detail: the rest.
    """

    sequence: int
    action: str
    result: str
    external_id: str
    fingerprint: str
    detail: Mapping[str, Any]


def follow(row: Row, event: Told) -> Row:
    """Return the record after an event."""
    return _STEPS[event.action](row, event)


def contradiction(row: Row, event: Told) -> str:
    """Return what of an event can't follow from the record as the events before leave it; empty where all can."""
    check = _CHECKS.get(event.action)
    return check(row, event) if check else ""


def _text(event: Told, name: str) -> str:
    return str(event.detail.get(name) or "")


def _settle(row: Row, event: Told) -> Row:
    in_doubt = _text(event, "doubtful") or (event.fingerprint if unresolved_version(row) else "")
    before = (_UNKNOWN, in_doubt) if in_doubt else (row.state, row.fingerprint)
    if _is_not_sent(event):
        certain = in_doubt and (unresolved_version(row) != ANY or _text(event, "doubtful"))
        state = str(event.detail.get("state", _UNKNOWN if certain else ANY))
        if state == ANY:
            return row._replace(state=ANY, fingerprint=ANY, unresolved_fingerprint=ANY, external_id=event.external_id)
        in_doubt = (in_doubt or event.fingerprint) if state == _UNKNOWN else ""
        before = (_UNKNOWN, in_doubt) if in_doubt else (state, row.fingerprint)
    flying = row._replace(
        state=_IN_FLIGHT,
        fingerprint=event.fingerprint,
        unresolved_fingerprint=in_doubt,
        token=max(row.token, int(event.detail.get("token") or 0)),
        before_state=before[0],
        before_fingerprint=before[1],
    )
    words = (event.external_id, _text(event, "code"), _text(event, "reason"))
    overwritten = event.detail.get("overwritten") is True
    return rules.settle(flying, Settlement(_NO_CLAIM, Result(event.result), *words, overwritten=overwritten))


def _is_not_sent(event: Told) -> bool:
    return event.result == Result.DEFERRED.value and event.detail.get("code") == Reason.NOT_SENT


def _settled_otherwise(row: Row, event: Told) -> str:
    known = unresolved_version(row)
    if known not in {"", ANY} and known != (event.detail.get("doubtful") or event.fingerprint):
        return "it forgets that another version may have been sent"
    if row.external_id and not event.external_id:
        return f"it forgets the record's id {row.external_id}"
    if event.detail.get("revision") != row.revision + 1:
        return f"it is revision {event.detail.get('revision')} where {row.revision + 1} follows"
    if _is_not_sent(event) and event.detail.get("state") not in {row.state, _UNKNOWN} and row.state != ANY:
        return f"it leaves the record {event.detail.get('state')}, which was {row.state}"
    return ""


def _quarantine(row: Row, event: Told) -> Row:
    refusal = Refusal(row.key, event.fingerprint, _text(event, "code"), _text(event, "reason"))
    in_doubt = str(event.detail.get("doubtful", unresolved_version(row) or ANY))
    return rules.refuse(row, refusal, "")._replace(unresolved_fingerprint=in_doubt, token=row.token)


def _quarantined_otherwise(row: Row, event: Told) -> str:
    known = unresolved_version(row)
    if known not in {"", ANY} and known != event.detail.get("doubtful"):
        return "it forgets that a version may have been sent"
    return ""


def _suspect(row: Row, event: Told) -> Row:
    """Follow what :func:`rules.suspect` does: what was confirmed is in doubt again, under its revision."""
    waits = _quarantine(row, event)
    if event.detail.get("was") != State.CONFIRMED.value:
        return waits
    return waits._replace(confirmed="", revision=row.revision - 1)


def _dispute(row: Row, event: Told) -> Row:
    """Follow what :func:`rules.dispute` does where a late settlement is refused; most such events change nothing."""
    left = event.detail.get("left")
    if not left:
        return row
    return row._replace(**{field: left[name] for name, field in rules.DISPUTED_FIELDS.items()})


def _release(row: Row, event: Told) -> Row:
    return rules.release(row._replace(fingerprint=event.fingerprint), absent=bool(event.detail.get("absent")))


def _confirm(row: Row, event: Told) -> Row:
    seen = row._replace(state=_IN_FLIGHT, fingerprint=event.fingerprint, unresolved_fingerprint="")
    return rules.confirm(seen, event.external_id)


def _restore(row: Row, event: Told) -> Row:
    return rules.restore(row._replace(confirmed=event.fingerprint))


def _restored_otherwise(row: Row, event: Told) -> str:
    return "" if event.fingerprint == row.confirmed else "it restores a version that was never in effect"


def _by_a_person_otherwise(row: Row, event: Told) -> str:
    """Check what a person was shown; of a record in flight only its row told that."""
    was = event.detail.get("was")
    if was == _IN_FLIGHT or ANY in {row.state, row.fingerprint, row.unresolved_fingerprint}:
        return ""
    version = row.fingerprint if event.action == "release" else unresolved_version(row) or row.fingerprint
    return "" if (was, event.fingerprint) == (row.state, version) else f"it is about a record {was}, not {row.state}"


_STEPS: Mapping[str, Callable[[Row, Told], Row]] = {
    "settle": _settle,
    "quarantine": _quarantine,
    "release": _release,
    "confirm": _confirm,
    "restore": _restore,
    "suspect": _suspect,
    "settle_refused": _dispute,
}
_CHECKS: Mapping[str, Callable[[Row, Told], str]] = {
    "settle": _settled_otherwise,
    "quarantine": _quarantined_otherwise,
    "release": _by_a_person_otherwise,
    "confirm": _by_a_person_otherwise,
    "restore": _restored_otherwise,
    "suspect": _quarantined_otherwise,
}
ACTIONS = frozenset(_STEPS)
