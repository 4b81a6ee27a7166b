"""WS-Security UsernameToken (OASIS Web Services Security UsernameToken Profile 1.1.1) in the envelopes of SOAP.

The token is put in when an envelope is written to the socket: what logs, evidence and errors see has none. With a
digest each writing has its own nonce and time, so that a request which is repeated isn't taken for a replayed one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pv_testing.core.redaction import conceal
from pv_testing.core.response import Response
from pv_testing.transports.auth import Auth
from pv_testing.transports.outgoing_request import Carrier, OutgoingRequest

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


class UsernameToken(Auth):
    """Says who asks in the header of each envelope.

    Args:
        username: who.
        password: as the service knows it.
        digest: whether only a SHA-1 of nonce, time and password is sent; else the password itself, over TLS.
    """

    def __init__(self, username: str, password: str, *, digest: bool) -> None:
        conceal(password)
        self._username, self._password, self._digest = username, password, digest

    def __repr__(self) -> str:
        return f"UsernameToken({self._username!r}, '***', digest={self._digest})"

    def seal(self, envelope: bytes) -> bytes:
        """Return an envelope with the token."""
        from lxml import etree

        parsed = etree.fromstring(envelope, etree.XMLParser(resolve_entities=False, no_network=True))
        # zeep has no types.
        kind: Any = import_module("zeep.wsse.username").UsernameToken
        token = kind(self._username, self._password, use_digest=self._digest, zulu_timestamp=True)
        sealed, _ = token.apply(parsed, {})
        written: bytes = etree.tostring(sealed, xml_declaration=True, encoding="utf-8")
        return written


class SealingWire:
    """Carries envelopes, each with a token of its own.

    Args:
        inner: carries them on.
        token: who asks.
    """

    def __init__(self, inner: Carrier, token: UsernameToken) -> None:
        self._inner = inner
        self._token = token

    @property
    def closed(self) -> bool:
        """Whether nothing is sent any more."""
        return self._inner.closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._inner.closed = closed

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Send once; what is raised is as of the inner one."""
        sealed: Any = copy.copy(call)
        sealed.data = self._token.seal(call.data)
        try:
            return await self._inner.send(sealed, headers)
        finally:
            call.written = sealed.written

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
