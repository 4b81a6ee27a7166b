"""Every request a system saw, and whether it came before the time the client was asked to wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from email.utils import parsedate_to_datetime
from typing import Any

from sandbox.store import Database, placeholders

FLUSH_AT = 500
IN_FLIGHT_GRACE = 0.150
CLOCK_GRACE = 0.005


@dataclass(slots=True)
class Seen:
    """One request.

    Attributes:
        at: arrival, epoch seconds.
        status: of the system's own answer; 0 when it wasn't asked.
        delivered: the status that was sent to the client; 0 when the connection was closed without one.
        fault: the kind of fault put upon it.
        body_hash: short digest of the body, so that repeats can be told.
        seconds: from arrival to answer.
        early: seconds by which it came before a ``Retry-After`` allowed; 0 when it didn't.
    """

    at: float
    method: str
    path: str
    query: str
    status: int = 0
    delivered: int = 0
    principal: str = ""
    idempotency_key: str = ""
    fault: str = ""
    body_hash: str = ""
    body_bytes: int = 0
    seconds: float = 0.0
    early: float = 0.0


_COLUMNS = tuple(column.name for column in fields(Seen))
SCHEMA = f"CREATE TABLE IF NOT EXISTS requests (number INTEGER PRIMARY KEY, {', '.join(_COLUMNS)});"
_INSERT = f"INSERT INTO requests ({','.join(_COLUMNS)}) VALUES ({placeholders(len(_COLUMNS))})"  # noqa: S608


class RequestLog:
    """Keeps the requests in the system's database, written in groups and always before they are read."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._pending: list[Seen] = []

    def add(self, seen: Seen) -> None:
        """Keep one request."""
        self._pending.append(seen)
        if len(self._pending) >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write the pending entries."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        with self._store.transaction():
            self._store.execute_many(_INSERT, map(astuple, pending))

    def read(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests after that number, oldest first."""
        self.flush()
        return [
            dict(row) for row in self._store.rows("SELECT * FROM requests WHERE number > ? ORDER BY number", (since,))
        ]

    def clear(self) -> None:
        """Forget all requests."""
        self._pending.clear()
        self._store.execute("DELETE FROM requests")

    def early(self) -> list[dict[str, Any]]:
        """Return the requests that came too early."""
        self.flush()
        return [dict(row) for row in self._store.rows("SELECT * FROM requests WHERE early > 0 ORDER BY number")]


class Holds:
    """Remembers until when each client was asked to wait."""

    def __init__(self) -> None:
        self._holds: dict[str, list[tuple[float, float]]] = {}

    def told(self, client: str, retry_after: str, now: float | None = None) -> None:
        """Note that a client was sent a ``Retry-After``; one that can't be read is ignored."""
        now = time.time() if now is None else now
        until = _until(retry_after, now)
        if until is not None:
            live = [hold for hold in self._holds.get(client, []) if hold[1] > now]
            self._holds[client] = [*live, (now, until)]

    def early_by(self, client: str, arrival: float) -> float:
        """Return by how many seconds a request came too early.

        A request that was on its way when the client was told counts as in time, for ``IN_FLIGHT_GRACE`` seconds.
        """
        holds = self._holds.get(client)
        if not holds:
            return 0.0
        return _worst(holds, arrival)


def _worst(holds: Iterable[tuple[float, float]], arrival: float) -> float:
    binding = [until - arrival for told, until in holds if told + IN_FLIGHT_GRACE < arrival < until - CLOCK_GRACE]
    return max(binding, default=0.0)


def _until(retry_after: str, now: float) -> float | None:
    try:
        return now + float(retry_after)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(retry_after).timestamp()
    except ValueError:
        return None
