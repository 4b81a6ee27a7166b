"""Records that wait for a person: into quarantine, and out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import LedgerError, redact
from pv_testing.core.reasons import Reason
from pv_testing.core.records import NOTHING, Result
from pv_testing.ledger import outbox, rules
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.claims import REASON_LIMIT
from pv_testing.ledger.rows import add, fetch, write_claimed, write_settled
from pv_testing.ledger.storable import UNUSABLE, clean, storable
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.types import Refusal, Row, State

_REFUSED = {State.REJECTED.value, State.QUARANTINED.value}
_UNDECIDED = {*_REFUSED, State.UNKNOWN.value, State.IN_FLIGHT.value}


def quarantine(store: Store, system: str, kind: str, items: Sequence[Refusal], owner: str) -> None:
    """Note records that could not be mapped; one that is noted already, or held by a live attempt, stays as it is."""
    refusals = {item.key: _tidy(item) for item in items}
    keys = list(refusals)
    with store.reading() as connection:
        rows = fetch(connection, system, kind, keys)
    if all(key in rows and rules.refused_before(rows[key], refusals[key]) for key in keys):
        return
    with store.writing() as writing:
        known = fetch(writing.connection, system, kind, keys)
        new: list[Row] = []
        changed: list[Row] = []
        for key, refusal in refusals.items():
            row = known.get(key) or rules.unheard_of(key)
            if rules.refused_before(row, refusal) or _live(row, writing.now):
                continue
            (changed if key in known else new).append(rules.refuse(row, refusal, clean(owner)))
        add(writing.connection, system, kind, new, writing.now)
        write_claimed(writing.connection, system, kind, changed, writing.now)
        _append(writing, [_refused(system, kind, row) for row in (*new, *changed)])


def suspect(store: Store, system: str, kind: str, items: Sequence[Refusal], owner: str) -> None:
    """Put records into quarantine whatever the ledger believed of them, also those that an attempt holds."""
    refusals = {item.key: _tidy(item) for item in items}
    with store.writing() as writing:
        known = fetch(writing.connection, system, kind, list(refusals))
        changed: list[Row] = []
        events: list[Draft] = []
        for key, before in known.items():
            if rules.suspected_before(before, refusals[key]):
                continue
            after = rules.suspect(before, refusals[key], clean(owner))
            changed.append(after)
            events.append(_suspected(system, kind, before, after))
        write_claimed(writing.connection, system, kind, changed, writing.now)
        write_settled(writing.connection, system, kind, changed, writing.now)
        _append(writing, events)


def _append(writing: Writing, events: Sequence[Draft]) -> None:
    append(writing, events)
    outbox.write_events(writing, events)


def _tidy(refusal: Refusal) -> Refusal:
    return Refusal(refusal.key, refusal.fingerprint, clean(refusal.code), clean(redact(refusal.reason, REASON_LIMIT)))


def _live(row: Row, now: float) -> bool:
    return row.state == State.IN_FLIGHT.value and row.lease_until > now


def _suspected(system: str, kind: str, before: Row, row: Row) -> Draft:
    draft = _refused(system, kind, row)
    return draft._replace(action="suspect", detail={**draft.detail, "was": before.state})


def _refused(system: str, kind: str, row: Row) -> Draft:
    detail = {"code": row.code, "reason": row.reason, "doubtful": row.unresolved_fingerprint}
    place = (system, kind, row.key)
    return Draft(row.owner, "quarantine", *place, Result.QUARANTINED.value, row.external_id, row.fingerprint, detail)


def release(
    store: Store,
    system: str,
    kind: str,
    keys: Sequence[str],
    owner: str,
    *,
    absent: bool,
    automatic: bool,
    about: Mapping[str, Any] = NOTHING,
) -> int:
    """Let refused records be tried again; return how many there were."""
    with store.reading() as connection:
        rows, now = fetch(connection, system, kind, keys), store.clock(connection)
    if not any(_releasable(row, now, absent=absent, automatic=automatic) for row in rows.values()):
        return 0
    with store.writing() as writing:
        current = fetch(writing.connection, system, kind, keys).values()
        before = [row for row in current if _releasable(row, writing.now, absent=absent, automatic=automatic)]
        after = [rules.release(row, absent=absent) for row in before]
        write_settled(writing.connection, system, kind, after, writing.now)
        _append(writing, [_released(system, kind, row, owner, {**about, "absent": absent}) for row in before])
    return len(after)


def _releasable(row: Row, now: float, *, absent: bool, automatic: bool) -> bool:
    if automatic and row.code in rules.BY_HAND_ONLY:
        return False
    return _undecided(row, now) if absent else row.state in _REFUSED


def _undecided(row: Row, now: float) -> bool:
    """Whether a person may say what became of it; of what a live attempt holds, the attempt will."""
    return row.state in _UNDECIDED and not _live(row, now)


def _released(system: str, kind: str, row: Row, owner: str, about: Mapping[str, Any]) -> Draft:
    detail = {**about, "was": row.state, "code": row.code}
    return Draft(owner, "release", system, kind, row.key, "", row.external_id, row.fingerprint, detail)


def confirm(
    store: Store,
    system: str,
    kind: str,
    key: str,
    external_id: str,
    owner: str,
    *,
    about: Mapping[str, Any] = NOTHING,
) -> None:
    """Note that a person has seen a record in the system."""
    if not storable(external_id):
        message = f"the id {clean(external_id)[:60]!r} can't be kept: it is {UNUSABLE}"
        raise LedgerError(message, system=system, key=key, code=Reason.ID_UNUSABLE)
    with store.writing() as writing:
        row = fetch(writing.connection, system, kind, [key]).get(key)
        if row is None or not _undecided(row, writing.now):
            raise LedgerError(
                "only a record that waits for a person can be confirmed by one; this one "
                + (f"is {row.state.replace('_', ' ')}" if row else "isn't known"),
                system=system,
                key=key,
                code=Reason.NOT_WAITING,
            )
        after = rules.confirm(row, external_id)
        write_settled(writing.connection, system, kind, [after], writing.now)
        detail = {**about, "was": row.state, "code": row.code}
        seen = (Result.ADOPTED.value, after.external_id, after.confirmed)
        _append(writing, [Draft(owner, "confirm", system, kind, key, *seen, detail)])
