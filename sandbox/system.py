"""The parts of every system of the sandbox: its store, callers, faults, request log and limits."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from sandbox.auth import Authenticator
from sandbox.faults import FaultBook
from sandbox.log import SCHEMA as LOG_SCHEMA
from sandbox.log import Holds, RequestLog
from sandbox.store import Database


@dataclass
class Limiter:
    """A fixed window of requests for each client, as the framework's hourly quota.

    Args:
        limit: requests a window; 0 for no limit and no headers.
        window: seconds.
    """

    limit: int = 0
    window: float = 3600.0
    _used: dict[str, int] = field(default_factory=dict)
    _ends: float = 0.0

    def take(self, client: str) -> int:
        """Count one request and return the seconds that the client must wait instead, 0 when it needn't."""
        now = time.time()
        if now >= self._ends:
            self._used.clear()
            self._ends = now + self.window
        self._used[client] = self._used.get(client, 0) + 1
        return 0 if self._used[client] <= self.limit else max(1, int(self._ends - now) + 1)

    def headers(self, client: str) -> dict[str, str]:
        """Return the headers that tell the client where it stands."""
        used = self._used.get(client, 0)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - used)),
            "X-RateLimit-Reset": str(int(self._ends) + 1),
        }


@dataclass
class System:
    """One system of the sandbox.

    Args:
        name: such as ``lims``.
        store: its database.
        authenticator: its callers.
        business_keys: for each table, the columns that tell its records apart for a person.
        limiter: its quota.
        control_key: the value of ``X-Sandbox-Key`` that its control endpoints want.
    """

    name: str
    store: Database
    authenticator: Authenticator
    business_keys: dict[str, tuple[str, ...]]
    limiter: Limiter = field(default_factory=Limiter)
    control_key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    faults: FaultBook = field(default_factory=FaultBook)
    holds: Holds = field(default_factory=Holds)
    log: RequestLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = RequestLog(self.store)

    def close(self) -> None:
        """Write the pending log entries and close the database."""
        self.log.flush()
        self.store.close()


def full_schema(schema: str) -> str:
    """Return a system's schema with the tables that every system has."""
    return schema + LOG_SCHEMA
