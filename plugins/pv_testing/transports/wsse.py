"""Credentials in the envelopes of SOAP: a token of WS-Security, or name and password as arguments of each operation.

The token is the UsernameToken of OASIS Web Services Security UsernameToken Profile 1.1.1. The credentials are put in
when an envelope is written to the socket: what logs, evidence and errors see has none. With a digest each writing has
its own nonce and time, so that a request which is repeated isn't taken for a replayed one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from pv_testing.core.redaction import conceal
from pv_testing.transports.auth import Auth
from pv_testing.transports.outgoing_request import OutgoingRequest

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


class EnvelopeAuth(Auth):
    """Says who asks within each envelope; the base of the others."""

    by_request: ClassVar[bool] = True

    def seal(self, envelope: bytes) -> bytes:
        """Return an envelope with the credentials."""
        raise NotImplementedError

    def sealed(self, call: OutgoingRequest, headers: Mapping[str, str]) -> tuple[OutgoingRequest, Mapping[str, str]]:
        """Return a request with its envelope sealed."""
        sealed = copy.copy(call)
        sealed.data = self.seal(call.data)
        return sealed, headers


class UsernameToken(EnvelopeAuth):
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
        parsed = _parsed(envelope)
        # zeep has no types.
        kind: Any = import_module("zeep.wsse.username").UsernameToken
        token = kind(self._username, self._password, use_digest=self._digest, zulu_timestamp=True)
        sealed, _ = token.apply(parsed, {})
        return _written(sealed)


class Arguments(EnvelopeAuth):
    """Says who asks by arguments of each operation, where the service has such: they are there, and empty.

    Args:
        username: who.
        password: as the service knows it.
        elements: the names of the arguments for the two.

    Attributes:
        empty: the arguments without values, as an envelope has them before it is sealed.
    """

    def __init__(self, username: str, password: str, elements: tuple[str, str]) -> None:
        conceal(password)
        self._values = dict(zip(elements, (username, password), strict=True))
        self.empty = dict.fromkeys(elements, "")

    def __repr__(self) -> str:
        return f"Arguments({', '.join(self._values)})"

    def seal(self, envelope: bytes) -> bytes:
        """Return an envelope with name and password in the elements right within its operation."""
        parsed = _parsed(envelope)
        for element in parsed.findall("./{*}Body/*/*"):
            name = element.tag.rpartition("}")[2]
            if name in self._values:
                element.text = self._values[name]
        return _written(parsed)


def _parsed(envelope: bytes) -> Any:
    from lxml import etree

    return etree.fromstring(envelope, etree.XMLParser(resolve_entities=False, no_network=True))


def _written(envelope: Any) -> bytes:
    from lxml import etree

    written: bytes = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    return written
