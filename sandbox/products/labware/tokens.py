"""Who may use the web services: user and password with datasource and role, or an OAuth 2.0 client."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from sandbox.products.labware.database import LabWareDatabase
from sandbox.products.labware.stand_in import (
    CLIENT_ID,
    CLIENT_SECRET,
    DATASOURCE,
    PASSWORD,
    ROLE,
    USER,
    LabWareStandIn,
)

LIFETIME = 3600
USES = 30
"""So many requests a token lives with the trap ``token_expires``."""


class Tokens:
    """Gives tokens and knows them again.

    Args:
        expires: whether a token ends after some requests, long before its time.
    """

    def __init__(self, *, expires: bool = False) -> None:
        self._expires = expires
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()
        self.given = 0

    def login(self, body: Mapping[str, Any]) -> str | None:
        """Return a token for a user of a datasource; ``None`` for any other."""
        role = body.get("role") or ROLE
        wanted = (USER, PASSWORD, DATASOURCE, ROLE)
        good = (body.get("username"), body.get("password"), body.get("datasource"), role) == wanted
        return self.give() if good else None

    def client(self, form: Mapping[str, Any], authorization: str) -> str | None:
        """Return a token for an OAuth 2.0 client that names itself by HTTP Basic; ``None`` for any other."""
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        good = authorization == f"Basic {basic}" and form.get("grant_type") == "client_credentials"
        return self.give() if good else None

    def knows(self, authorization: str) -> bool:
        """Whether a header has a token that is good for one more request."""
        token = authorization.removeprefix("Bearer ")
        with self._lock:
            left = self._left.get(token, 0)
            if self._expires:
                self._left[token] = left - 1
            return left > 0

    def give(self) -> str:
        """Return a new token."""
        token = secrets.token_hex(16)
        with self._lock:
            self._left[token] = USES if self._expires else 1
            self.given += 1
        return token


class WebStandIn(LabWareStandIn):
    """A web service as the way in.

    Args:
        database: the LIMS's own.
        section: of ``config/integrations.yaml``.
        origin: the address without a path.
        tokens: who may use it.
    """

    def __init__(self, database: LabWareDatabase, section: dict[str, Any], origin: str, tokens: Tokens) -> None:
        super().__init__(database, section, origin)
        self.tokens = tokens
