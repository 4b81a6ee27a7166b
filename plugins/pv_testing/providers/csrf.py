"""SAP's guard against forged requests: a token and the cookies of one session, which only count together."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from pv_testing.core.errors import PermissionDenied, ResponseError
from pv_testing.core.response import Response
from pv_testing.transports.rest import RestSession

HEADER = "x-csrf-token"
REFUSED = "CSRF_TOKEN_REFUSED"
"""The code by which a contract's rules say that a token is refused; the request was not processed then."""


class CsrfToken:
    """The token of a session.

    Args:
        session: with the system.
        path: of a read that gives one.
    """

    def __init__(self, session: RestSession, path: str) -> None:
        self._session = session
        self._path = path
        self._headers: Mapping[str, str] = {}

    async def headers(self, operation: str) -> Mapping[str, str]:
        """Return token and cookies for a write, fetched where there are none yet.

        Args:
            operation: for whose sake, for messages.

        Raises:
            ResponseError: the system gives no token.
        """
        if not self._headers:
            response = await self._session.request("GET", self._path, headers={HEADER: "fetch"}, operation=operation)
            token = response.headers.get(HEADER, "")
            if not token or token.casefold() == "required":
                raise ResponseError("SAP gives no x-csrf-token; check base_url, and whether a proxy drops the header")
            cookies = _cookies(response)
            self._headers = {HEADER: token, **({"Cookie": cookies} if cookies else {})}
        return self._headers

    def lost(self, error: PermissionDenied) -> bool:
        """Say whether a refusal is about the token, and forget it then: the next write fetches another one."""
        if error.code != REFUSED:
            return False
        self._headers = {}
        return True


def _cookies(response: Response) -> str:
    """Return the cookies that an answer sets, as a request sends them back."""
    getall = getattr(response.headers, "getall", None)
    pairs = []
    for line in getall("Set-Cookie", []) if getall else ():
        try:
            pairs += [f"{name}={morsel.coded_value}" for name, morsel in SimpleCookie(line).items()]
        except CookieError:
            continue
    return "; ".join(pairs)
