"""Who is told of events: addresses, what they want to hear, and by which names their secrets are found.

A secret itself is never kept here. Each change is an event of the audit trail, with the name of whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from pv_testing.core.errors import DataError
from pv_testing.core.reasons import Reason
from pv_testing.ledger.audit import Draft, append
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.tables import delivery
from pv_testing.ledger.tables import endpoint as table

_COLUMNS = tuple(column.name for column in table.columns)


class EndpointState(str, Enum):
    """Whether an endpoint is told of events; what happens meanwhile is kept for one that is not."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class SecretName:
    """Where a secret is found.

    Attributes:
        name: a reference, such as ``connection:pv_webhook_lab``.
        fingerprint: eight digits by which another secret in its place is noticed.
        until: epoch seconds at which it ends, because a newer one follows; 0 for no end.
    """

    name: str
    fingerprint: str
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that is told of events.

    Attributes:
        id: short, made from the address.
        url: the address.
        events: names of events, or patterns such as ``invoice.*``.
        secrets: newest first.
        state: whether it is told.
        reason: why it is disabled.
        created_at: epoch seconds.
        failures: deliveries that failed in a row.
        failing_since: epoch seconds of the first of these; 0 without one.
        held_until: epoch seconds until which it wants to be left alone.
    """

    id: str
    url: str
    events: tuple[str, ...]
    secrets: tuple[SecretName, ...]
    state: EndpointState = EndpointState.ACTIVE
    reason: str = ""
    created_at: float = 0.0
    failures: int = 0
    failing_since: float = 0.0
    held_until: float = 0.0

    def live_secrets(self, now: float) -> tuple[SecretName, ...]:
        """Return the secrets that count now, newest first."""
        return tuple(each for each in self.secrets if not each.until or each.until > now)


Change = Callable[[Endpoint], Endpoint]


class Endpoints:
    """The endpoints in a ledger; see :class:`~pv_testing.webhooks.WebhookManager` for who uses them.

    Args:
        store: the ledger's database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[Endpoint]:
        """Return every endpoint, the oldest first."""
        with self._store.reading() as connection:
            return read(connection)

    def get(self, endpoint_id: str) -> Endpoint:
        """Return an endpoint.

        Raises:
            DataError: there is none of this id (``ENDPOINT_UNKNOWN``).
        """
        return _only(self.all(), endpoint_id)

    def put(self, endpoint: Endpoint, owner: str) -> Endpoint:
        """Add an endpoint, or change what an earlier one of its id is told; returns it as it is kept.

        Args:
            endpoint: as it is to be; of one that is there, only ``events`` and ``secrets`` are taken.
            owner: who does it.
        """
        with self._store.writing() as writing:
            known = {each.id: each for each in read(writing.connection)}.get(endpoint.id)
            kept = replace(endpoint, created_at=writing.now)
            if known is not None:
                kept = replace(known, events=endpoint.events, secrets=_secrets(known, endpoint))
            if kept != known:
                write(writing.connection, kept, new=known is None)
                append(writing, [_audited("webhook_register", kept, owner)])
        return kept

    def change(self, endpoint_id: str, action: str, change: Change, owner: str) -> Endpoint:
        """Change an endpoint and say so in the audit trail.

        Args:
            endpoint_id: which.
            action: what is done, such as ``pause``.
            change: makes the new endpoint of the one that is kept.
            owner: who does it.

        Raises:
            DataError: there is none of this id (``ENDPOINT_UNKNOWN``).
        """
        with self._store.writing() as writing:
            before = _only(read(writing.connection), endpoint_id)
            after = change(before)
            if after != before:
                write(writing.connection, after)
                append(writing, [_audited(f"webhook_{action}", after, owner)])
        return after

    def remove(self, endpoint_id: str, owner: str) -> Endpoint:
        """Forget an endpoint and what was to be delivered to it; returns what it was.

        Raises:
            DataError: there is none of this id (``ENDPOINT_UNKNOWN``).
        """
        with self._store.writing() as writing:
            gone = _only(read(writing.connection), endpoint_id)
            writing.connection.execute(delete(delivery).where(delivery.c.endpoint == gone.id))
            writing.connection.execute(delete(table).where(table.c.id == gone.id))
            append(writing, [_audited("webhook_remove", gone, owner)])
        return gone


def read(connection: Connection) -> list[Endpoint]:
    """Return every endpoint, the oldest first."""
    rows = connection.execute(select(table).order_by(table.c.created_at, table.c.id)).all()
    return [_endpoint(row._asdict()) for row in rows]


def write(connection: Connection, endpoint: Endpoint, *, new: bool = False) -> None:
    """Write an endpoint in the caller's transaction."""
    values: dict[str, Any] = {name: getattr(endpoint, name) for name in _COLUMNS}
    values["events"] = _json(endpoint.events)
    values["secrets"] = _json([asdict(each) for each in endpoint.secrets])
    values["state"] = endpoint.state.value
    connection.execute(insert(table) if new else update(table).where(table.c.id == endpoint.id), values)


def disable(writing: Writing, endpoint: Endpoint, reason: str, owner: str) -> None:
    """Tell an endpoint of nothing more, in the caller's transaction."""
    after = replace(endpoint, state=EndpointState.DISABLED, reason=reason)
    write(writing.connection, after)
    append(writing, [_audited("webhook_disable", after, owner)])


def _secrets(known: Endpoint, wanted: Endpoint) -> tuple[SecretName, ...]:
    """Return the secrets of an endpoint that is registered again; what a rotation has made of them stays."""
    there = {(each.name, each.fingerprint) for each in known.secrets}
    same = all((each.name, each.fingerprint) in there for each in wanted.secrets)
    return known.secrets if same else wanted.secrets


def _endpoint(row: dict[str, Any]) -> Endpoint:
    secrets = tuple(SecretName(**each) for each in orjson.loads(row["secrets"]))
    changed = {"events": tuple(orjson.loads(row["events"])), "secrets": secrets, "state": EndpointState(row["state"])}
    return Endpoint(**{**row, **changed})


def _only(endpoints: Sequence[Endpoint], endpoint_id: str) -> Endpoint:
    matches = [each for each in endpoints if endpoint_id in {each.id, each.url}]
    if not matches:
        known = ", ".join(each.id for each in endpoints) or "none is registered"
        raise DataError(f"there is no endpoint {endpoint_id!r}; known: {known}", code=Reason.ENDPOINT_UNKNOWN)
    return matches[0]


def _audited(action: str, endpoint: Endpoint, owner: str) -> Draft:
    detail = {
        "url": endpoint.url,
        "events": list(endpoint.events),
        "secrets": [each.fingerprint for each in endpoint.secrets],
        "state": endpoint.state.value,
        "reason": endpoint.reason,
    }
    return Draft(owner, action, key=endpoint.id, detail=detail)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
