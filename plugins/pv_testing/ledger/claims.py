"""Claims, leases and settlements: the transactions around the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pv_testing.core.errors import LeaseLost, redact
from pv_testing.core.reasons import Reason
from pv_testing.ledger import outbox, rules
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.rows import add, fetch, write_claimed, write_held, write_settled
from pv_testing.ledger.storable import clean
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.types import Claim, Claimed, Decision, Row, Settlement, State

REASON_LIMIT = 1_000
NAMED = 5
PROBE = 20
"""How many records are read to see whether there is something to write."""

T = TypeVar("T")


def claim(store: Store, system: str, kind: str, items: Sequence[Claim], owner: str, lease: float) -> list[Claimed]:
    """Claim records; reads where nothing has changed, one transaction otherwise.

    New records come together. Where the first ones must be written, the others are not read before the transaction.
    """
    for some in (items[:PROBE], items):
        answers, rows = _read(store, system, kind, some)
        if any(rules.writes(rows.get(answer.key), answer.decision) for answer in answers):
            break
    else:
        return answers
    keys = [item.key for item in items]
    with store.writing() as writing:
        rows = fetch(writing.connection, system, kind, keys)
        desk = _Desk(system, kind, rows, clean(owner), writing.now, writing.now + lease)
        answers = [desk.serve(item) for item in items]
        desk.write(writing)
    return answers


def peek(store: Store, system: str, kind: str, items: Sequence[Claim]) -> list[Claimed]:
    """Say what a claim would answer, and claim nothing."""
    return _read(store, system, kind, items)[0]


def _read(store: Store, system: str, kind: str, items: Sequence[Claim]) -> tuple[list[Claimed], Mapping[str, Row]]:
    with store.reading() as connection:
        rows = fetch(connection, system, kind, [item.key for item in items])
        now = store.clock(connection)
    return [_answer(system, kind, rows.get(item.key), item, now) for item in items], rows


class _Desk:
    """Serves the claims of one transaction in their order, so that a key that comes twice is held once."""

    def __init__(
        self, system: str, kind: str, rows: Mapping[str, Row], owner: str, now: float, lease_until: float
    ) -> None:
        self._system, self._kind, self._owner = system, kind, owner
        self._now, self._lease_until = now, lease_until
        self._known = rows
        self._rows = dict(rows)
        self._touched: dict[str, Row] = {}
        self._events: list[Draft] = []

    def serve(self, item: Claim) -> Claimed:
        row = self._rows.get(item.key)
        answer = _answer(self._system, self._kind, row, item, self._now)
        if rules.writes(row, answer.decision):
            row = row or rules.unheard_of(item.key)
            row = self._change(row, answer)
            self._rows[row.key] = self._touched[row.key] = row
        return answer

    def _change(self, row: Row, answer: Claimed) -> Row:
        if answer.decision is Decision.UNCHANGED:
            detail = {"was": row.state, "code": row.code}
            place = (self._system, self._kind, row.key)
            event = Draft(self._owner, "restore", *place, "unchanged", row.external_id, row.confirmed, detail)
            self._events.append(event)
            return rules.restore(row)
        row = rules.take(row, answer.fingerprint, answer.decision, self._owner, self._lease_until)
        answer.row = row
        answer.token, answer.owner, answer.lease_until = row.token, row.owner, row.lease_until
        return row

    def write(self, writing: Writing) -> None:
        place = (writing.connection, self._system, self._kind)
        add(*place, [row for key, row in self._touched.items() if key not in self._known], self._now)
        write_claimed(*place, [row for key, row in self._touched.items() if key in self._known], self._now)
        append(writing, self._events)


def _answer(system: str, kind: str, row: Row | None, item: Claim, now: float) -> Claimed:
    decision = rules.decide(row, item.fingerprint, now)
    if row is None:
        return Claimed(system, kind, item.key, item.fingerprint, decision, 0, "", 1, "", "", "", "", 0.0)
    revision = row.revision + (0 if decision is Decision.UNCHANGED else 1)
    unresolved = rules.unresolved_version(row) if decision is Decision.RESOLVE else ""
    code, reason = (row.code, row.reason) if decision is Decision.WAITING else ("", "")
    rejected = decision is Decision.WAITING and row.state == State.REJECTED.value
    return Claimed(
        system, kind, item.key, item.fingerprint, decision, row.token, row.external_id, revision,
        unresolved, code, reason, row.owner, row.lease_until, rules.seen_absent(row), rejected,
    )  # fmt: skip


def _by_kind(items: Sequence[tuple[Claimed, T]]) -> list[tuple[tuple[str, str], list[T]]]:
    groups: dict[tuple[str, str], list[T]] = {}
    for claimed, item in items:
        groups.setdefault((claimed.system, claimed.kind), []).append(item)
    return list(groups.items())


def renew(store: Store, claims: Sequence[Claimed], lease: float) -> None:
    """Prolong the leases that still hold, then say which don't."""
    lost: list[str] = []
    with store.writing() as writing:
        until = writing.now + lease
        for (system, kind), group in _by_kind([(claimed, claimed) for claimed in claims]):
            rows = fetch(writing.connection, system, kind, [claimed.key for claimed in group])
            held = [claimed for claimed in group if rules.holds(rows.get(claimed.key), claimed)]
            lost += [claimed.key for claimed in group if not rules.holds(rows.get(claimed.key), claimed)]
            prolonged = [rows[claimed.key]._replace(lease_until=until) for claimed in held]
            write_claimed(writing.connection, system, kind, prolonged, writing.now)
    for claimed in claims:
        if claimed.key not in lost:
            claimed.lease_until = until
    if lost:
        named = ", ".join(lost[:NAMED]) + (f" and {len(lost) - NAMED} more" if len(lost) > NAMED else "")
        raise LeaseLost(f"another attempt has taken over {named}; it will settle them", system=claims[0].system)


class _NotHeld(Exception):
    """A record is not as the claim has left it that is settled."""


def settle(store: Store, settlements: Sequence[Settlement], owner: str) -> list[str]:
    """Settle records and tell the audit trail, in one transaction; return the keys that others have taken over."""
    if not settlements:
        return []
    try:
        with store.writing() as writing:
            _settle_unread(writing, settlements, owner)
            return []
    except _NotHeld:
        with store.writing() as writing:
            return settle_within(writing, settlements, owner)


def _settle_unread(writing: Writing, settlements: Sequence[Settlement], owner: str) -> None:
    """Settle records by what their claims have left of them, without reading them again.

    A record that is in flight under the token of a claim is as that claim has left it, but for the end of its lease.

    Raises:
        _NotHeld: one isn't; the transaction must be rolled back.
    """
    events: list[Draft] = []
    for place, group in _by_kind([(one.claimed, one) for one in settlements]):
        rows: dict[str, Row] = {}
        for settlement in map(_tidy, group):
            row = settlement.claimed.row
            if row is None or row.key in rows or not rules.holds(row, settlement.claimed):
                raise _NotHeld
            rows[row.key] = row = rules.settle(row, settlement)
            events.append(_settled(settlement, row, owner))
        if write_held(writing.connection, *place, list(rows.values()), writing.now) < len(rows):
            raise _NotHeld
    append(writing, events)
    outbox.write_events(writing, events, settlements)


def settle_within(writing: Writing, settlements: Sequence[Settlement], owner: str) -> list[str]:
    """Do what :func:`settle` does, in a transaction that somebody else commits."""
    refused: list[str] = []
    events: list[Draft] = []
    for (system, kind), group in _by_kind([(one.claimed, one) for one in settlements]):
        rows = fetch(writing.connection, system, kind, [settlement.claimed.key for settlement in group])
        changed: dict[str, Row] = {}
        disputed: dict[str, Row] = {}
        for settlement in map(_tidy, group):
            row = rows.get(settlement.claimed.key)
            if row is None or not rules.holds(row, settlement.claimed):
                refused.append(settlement.claimed.key)
                after = rules.dispute(row, settlement) if row is not None and settlement.sent else row
                if after is not None and after != row:
                    rows[after.key] = disputed[after.key] = after
                events.append(_fenced(settlement, row, after, owner))
                continue
            row = rules.settle(row, settlement)
            rows[row.key] = changed[row.key] = row
            events.append(_settled(settlement, row, owner))
        write_settled(writing.connection, system, kind, changed.values(), writing.now)
        write_claimed(writing.connection, system, kind, disputed.values(), writing.now)
    append(writing, events)
    outbox.write_events(writing, events, settlements)
    return refused


def _tidy(settlement: Settlement) -> Settlement:
    """Return the settlement with nothing secret or unstorable in what a system said."""
    settlement = settlement.storable()
    if not settlement.reason and not settlement.code:
        return settlement
    return settlement._replace(code=clean(settlement.code), reason=clean(redact(settlement.reason, REASON_LIMIT)))


def _settled(settlement: Settlement, row: Row, owner: str) -> Draft:
    claimed = settlement.claimed
    detail: dict[str, object] = {"token": claimed.token, "revision": claimed.revision}
    if settlement.code or settlement.reason:
        detail.update(code=settlement.code, reason=settlement.reason)
    if settlement.code == Reason.NOT_SENT:
        detail["state"] = row.state
    if settlement.overwritten:
        detail["overwritten"] = True
    if claimed.unresolved_fingerprint and claimed.unresolved_fingerprint != claimed.fingerprint:
        detail["doubtful"] = claimed.unresolved_fingerprint
    fingerprint = row.confirmed if settlement.result.in_effect else claimed.fingerprint
    place = (claimed.system, claimed.kind, row.key)
    return Draft(owner, "settle", *place, settlement.result.value, row.external_id, fingerprint, detail)


def _fenced(settlement: Settlement, row: Row | None, after: Row | None, owner: str) -> Draft:
    claimed = settlement.claimed
    detail: dict[str, object] = {
        "code": Reason.STALE_TOKEN,
        "token": claimed.token,
        "newest_token": row.token if row else 0,
        "newest_owner": row.owner if row else "",
        "state": row.state if row else "",
        "sent": settlement.sent,
    }
    if after is not None and after != row:
        detail["left"] = {name: getattr(after, field) for name, field in rules.DISPUTED_FIELDS.items()}
    place = (claimed.system, claimed.kind, claimed.key)
    result, external_id = settlement.result.value, settlement.external_id
    return Draft(owner, "settle_refused", *place, result, external_id, claimed.fingerprint, detail)
