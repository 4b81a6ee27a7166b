"""The signature of STARLIMS's REST API: an HMAC over address, method, key, time and content of each request.

Source: ``src/starlims-proxy.js`` of github.com/michelroberge/starlims-node-proxy, and the article "STARLIMS REST API &
POSTMAN - Production Mode" on michel-roberge.com, which took the rule from the server's side.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import ClassVar
from urllib.parse import quote

from yarl import URL

from pv_testing.core.errors import ConfigError
from pv_testing.core.redaction import conceal
from pv_testing.transports.auth import Auth
from pv_testing.transports.outgoing_request import OutgoingRequest

_ESCAPED = re.compile("%[0-9A-F]{2}")
HEX = ("upper", "lower")


class StarlimsSignature(Auth):
    """Signs each request when it is written, with the time of that moment, also where it is repeated.

    Args:
        access_key: which key, as the key management of STARLIMS shows it.
        secret: its secret.
        base_url: the address that requests are sent to.
        server_url: the same address as the server sees it, where a proxy changes it; the same without it.
        hex_case: how the signature's percent signs are written: ``upper`` (``%2B``), or ``lower`` as .NET does.
        method: the ``SL-API-Method``, where the scripts of the site have such.
        impersonate: the e-mail address of the user that the scripts act for (``SL-API-Email``).
        session: the ``STARLIMSsessionId``, where the scripts want one.

    Raises:
        ConfigError: ``hex_case`` is neither.
    """

    by_request: ClassVar[bool] = True

    def __init__(
        self,
        access_key: str,
        secret: str,
        base_url: str,
        *,
        server_url: str = "",
        hex_case: str = "upper",
        method: str = "",
        impersonate: str = "",
        session: str = "",
    ) -> None:
        if hex_case not in HEX:
            raise ConfigError(f"the option hex_case is {hex_case!r}; write upper or lower", code="OPTION_WRONG")
        conceal(secret, session)
        self._access_key, self._secret = access_key, secret.encode()
        self._base, self._server = (str(URL(url)).rstrip("/") for url in (base_url, server_url or base_url))
        self._lower = hex_case == "lower"
        self._method = method
        named = {"SL-API-Auth": access_key, "SL-API-Method": method, "SL-API-Email": impersonate}
        named["STARLIMSsessionId"] = session
        self._headers = {name: value for name, value in named.items() if value}

    def __repr__(self) -> str:
        return f"StarlimsSignature({self._access_key!r}, '***')"

    def signature(self, url: str, method: str, timestamp: str, body: bytes) -> str:
        """Return the signature of a request.

        Args:
            url: its whole address, as the server sees it.
            method: in capitals.
            timestamp: in UTC, with milliseconds and ``Z``.
            body: the exact bytes that are sent.
        """
        signed = f"{url}\n{method}\n{self._access_key}\n{self._method}\n{timestamp}\n".encode() + body
        digest = base64.b64encode(hmac.new(self._secret, signed, hashlib.sha256).digest()).decode()
        escaped = quote(digest, safe="")
        return _ESCAPED.sub(lambda match: match[0].lower(), escaped) if self._lower else escaped

    def sealed(self, call: OutgoingRequest, headers: Mapping[str, str]) -> tuple[OutgoingRequest, Mapping[str, str]]:
        """Return a request with the signature and the time of this moment."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        url = str(call.url)
        if url.startswith(self._base):
            url = self._server + url[len(self._base) :]
        signature = self.signature(url, call.method, now, call.data or b"")
        return call, {**headers, **self._headers, "SL-API-Timestamp": now, "SL-API-Signature": signature}
