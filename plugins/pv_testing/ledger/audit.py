"""The audit trail: events in a chain of hashes, so that any change to the past shows.

The hash of an event is the SHA-256 of its canonical JSON: one object with every field but the hash itself, names in
alphabetical order, no white space, UTF-8. The fields are those of :class:`AuditEvent`; ``detail`` is the stored JSON
text, as a string. It includes the sequence number and the hash of the event before. Anyone can check it with a few
lines of standard Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select, update

from pv_testing.core.errors import LedgerError
from pv_testing.core.redaction import BLOT, names_secret, redact
from pv_testing.ledger.batches import insertion, many
from pv_testing.ledger.failures import RESTORE
from pv_testing.ledger.storable import clean
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.tables import audit, head
from pv_testing.ledger.types import AuditEvent

GENESIS = "0" * 64
MARK = "mark"
NO_HEAD = f"the head of the audit trail is missing, somebody has removed it: {RESTORE}"
PAGE = 5_000
_EXACT = 2**53  # beyond it, JSON readers disagree about whole numbers
FIELDS = tuple(AuditEvent.__dataclass_fields__)
_INSERT = insertion("ledger_audit", FIELDS)


class Draft(NamedTuple):
    """An event before it has its place in the chain; the fields are those of :class:`AuditEvent`."""

    owner: str
    action: str
    system: str = ""
    kind: str = ""
    key: str = ""
    result: str = ""
    external_id: str = ""
    fingerprint: str = ""
    detail: Mapping[str, Any] = {}


class Link(NamedTuple):
    """The end of the chain."""

    sequence: int
    at: str
    hash: str


def instant(epoch: float) -> str:
    """Return epoch seconds as RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(epoch, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def digest(event: Mapping[str, Any]) -> str:
    """Return the hash of an event, given as a mapping of its stored fields but for the hash itself."""
    return sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()


def last(connection: Connection) -> Link | None:
    """Return the end of the chain as the ledger remembers it."""
    row = connection.execute(select(head.c.sequence, head.c.at, head.c.hash)).one_or_none()
    return Link(*row) if row else None


def append(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Add events to the chain, in the caller's transaction.

    The time of an event is never before that of its predecessor. Where the clock says so, the event keeps the
    predecessor's time and carries what the clock said in its detail, as ``clock``.
    """
    if not drafts:
        return
    end = last(writing.connection)
    if end is None:
        raise LedgerError(NO_HEAD)
    clock = instant(writing.now)
    went_back = clock < end.at
    at = end.at if went_back else clock
    events = []
    sequence, previous = end.sequence, end.hash
    for draft in drafts:
        sequence += 1
        event = _event(draft, sequence, at, previous, {"clock": clock} if went_back else {})
        previous = digest(event)
        events.append((*event.values(), previous))
    many(writing.connection, _INSERT, events)
    writing.connection.execute(update(head).values(sequence=sequence, at=at, hash=previous))


def _event(draft: Draft, sequence: int, at: str, previous: str, anomaly: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "at": at,
        "owner": clean(draft.owner),
        "action": draft.action,
        "system": draft.system,
        "kind": draft.kind,
        "key": draft.key,
        "result": draft.result,
        "external_id": clean(draft.external_id),
        "fingerprint": draft.fingerprint,
        "detail": orjson.dumps({**draft.detail, **anomaly}, option=orjson.OPT_SORT_KEYS).decode(),
        "previous": previous,
    }


def harmless(value: Any) -> Any:
    """Return a JSON value without credentials and without characters that no database can keep."""
    if isinstance(value, str):
        return clean(redact(value, len(value)))
    if isinstance(value, Mapping):
        parts: dict[str, Any] = {}
        for name, part in value.items():
            parts[clean(str(name))] = _blotted(part) if names_secret(str(name)) else harmless(part)
        return parts
    if isinstance(value, (list, tuple)):
        return [harmless(part) for part in value]
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < _EXACT):
        return value
    return clean(str(value))


def _blotted(value: Any) -> Any:
    """Return what stands for a credential; that there is none may be said."""
    return value if value in (None, "") or isinstance(value, bool) else BLOT


def draft(action: str, *, system: str, kind: str, key: str, owner: str, detail: Mapping[str, Any]) -> Draft:
    """Return an event of somebody else's, with nothing secret or unstorable in it."""
    return Draft(owner, clean(action), clean(system), clean(kind), clean(key), detail=harmless(detail))


def events(store: Store, after: int = 0, limit: int | None = None) -> Iterator[AuditEvent]:
    """Give the events that follow a sequence number, in order, a page at a time."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with store.reading() as connection:
            rows = page(connection, after, size)
        for row in rows:
            stored = row._asdict()
            yield AuditEvent(**{**stored, "detail": orjson.loads(stored["detail"])})
        if len(rows) < size:
            return
        after = rows[-1][0]
        left = None if left is None else left - size


def page(connection: Connection, after: int | None, size: int) -> Sequence[Any]:
    """Return up to ``size`` stored events behind a sequence number, or the first ones."""
    statement = select(audit).order_by(audit.c.sequence).limit(size)
    return connection.execute(statement if after is None else statement.where(audit.c.sequence > after)).all()
