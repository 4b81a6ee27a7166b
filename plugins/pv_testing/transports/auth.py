"""Ways to say who asks. Tokens are fetched once for any number of calls, and renewed before they expire."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pv_testing.core import clock
from pv_testing.core.errors import AuthenticationError, ConfigError, Rejected, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.redaction import conceal
from pv_testing.core.response import Response

if TYPE_CHECKING:
    from pv_testing.transports.outgoing_request import Carrier, OutgoingRequest
    from pv_testing.transports.rest import RestSession

SKEW = 60.0
LIFETIME = 3600.0
NO_HEADERS: Mapping[str, str] = {}


class Auth:
    """Sends no credentials; the base of the others.

    Attributes:
        by_request: whether each request is signed or sealed by itself, so that no header alone says who asks.
    """

    by_request: ClassVar[bool] = False

    def current(self) -> Mapping[str, str] | None:
        """Return the headers that every request carries; ``None`` when they must be fetched first."""
        return NO_HEADERS

    async def renew(self, session: RestSession, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Fetch credentials.

        Args:
            session: where tokens can be fetched.
            refused: the headers that the system did not accept, if it was asked already.

        Returns:
            The headers to send from now on; those refused, where there are no others to be had.

        Raises:
            AuthenticationError: the credentials are not accepted.
        """
        del session
        return refused or NO_HEADERS

    async def carry(self, wire: Carrier, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Send a request once, as it is or sealed; what is raised is as of the carrier.

        Args:
            wire: carries it.
            call: the request; logs, evidence and errors see it as it is here.
            headers: all of its headers.
        """
        if call.login:
            return await wire.send(call, headers)
        sealed, headers = self.sealed(call, headers)
        try:
            return await wire.send(sealed, headers)
        finally:
            call.written = sealed.written

    def sealed(self, call: OutgoingRequest, headers: Mapping[str, str]) -> tuple[OutgoingRequest, Mapping[str, str]]:
        """Return a request and its headers as they are written this one time: signed anew, where the way does so."""
        return call, headers

    async def aclose(self) -> None:
        """Stop fetching."""


class FixedHeader(Auth):
    """The same header with every request.

    Args:
        name: of the header.
        value: what it says.

    Raises:
        ConfigError: a header can't say that, such as a key that was read with the line's end.
    """

    def __init__(self, name: str, value: str) -> None:
        if not (name + value).isprintable() or not value.isascii() or value != value.strip():
            message = (
                f"the value for the header {name!r} has line ends, blanks around it or other than ASCII characters"
            )
            raise ConfigError(message, code=Reason.CREDENTIALS_UNUSABLE)
        self._headers = {name: value}

    def current(self) -> Mapping[str, str]:
        """Return the header."""
        return self._headers


def api_key(key: str, header: str = "X-API-Key") -> Auth:
    """Send an API key in a header of its own."""
    conceal(key)
    return FixedHeader(header, key)


def basic(username: str, password: str) -> Auth:
    """Send name and password (RFC 7617)."""
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    conceal(password, credentials)
    return FixedHeader("Authorization", f"Basic {credentials}")


def bearer(token: str, scheme: str = "Bearer") -> Auth:
    """Send a token that someone else has fetched (RFC 6750).

    Args:
        token: the token.
        scheme: the word before it.
    """
    conceal(token)
    return FixedHeader("Authorization", f"{scheme} {token}")


class TokenAuth(Auth):
    """A token that is fetched when first needed and renewed before it expires, once for all concurrent calls.

    Args:
        on_token: called with every token that is fetched, so that logs can mask it.
    """

    scheme = "Bearer"

    def __init__(self, on_token: Callable[[str], None] | None = None) -> None:
        self._tell = on_token or (lambda _: None)
        self._fetching: asyncio.Task[Mapping[str, str]] | None = None
        self._headers: Mapping[str, str] | None = None
        self._renew_at = 0.0

    def _on_token(self, token: str) -> None:
        """Have a token that was fetched masked, in what we say and in the logs of others."""
        conceal(token)
        self._tell(token)

    def current(self) -> Mapping[str, str] | None:
        """Return the header with a token that is still good for a while."""
        return self._headers if clock.seconds() < self._renew_at else None

    async def renew(self, session: RestSession, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Fetch a new token, unless another call has done so since or is doing so."""
        headers = self.current()
        if headers is not None and headers is not refused:
            return headers
        if self._fetching is None:
            self._fetching = asyncio.ensure_future(self._renewed(session))
            self._fetching.add_done_callback(self._fetched)
        return await asyncio.shield(self._fetching)

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _fetched(self, fetching: asyncio.Task[Mapping[str, str]]) -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()

    async def _renewed(self, session: RestSession) -> Mapping[str, str]:
        answer = await self._fetch(session)
        lifetime = _seconds(answer.get("expires_in"))
        self._renew_at = clock.seconds() + lifetime - min(SKEW, lifetime / 5)
        self._headers = self._carrying(answer["access_token"])
        return self._headers

    def _carrying(self, token: str) -> Mapping[str, str]:
        return {"Authorization": f"{self.scheme} {token}"}

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        raise NotImplementedError

    async def _ask(self, session: RestSession, url: str, **request: Any) -> Mapping[str, Any]:
        try:
            answer = (await self._answer(session, "POST", url, **request)).json()
        except ResponseError:
            message = "the token endpoint's answer is not JSON; check its address"
            raise AuthenticationError(message, code=Reason.TOKEN_UNREADABLE) from None
        token = answer.get("access_token") if isinstance(answer, Mapping) else None
        if not token or not isinstance(token, str):
            raise AuthenticationError("the token endpoint answered without an access_token", code=Reason.TOKEN_MISSING)
        self._on_token(token)
        return dict(answer)

    async def _answer(self, session: RestSession, method: str, url: str, **request: Any) -> Response:
        """Return what a token endpoint answers; what it says of a failure is never shown, as it may hold the secret."""
        try:
            return await session.unauthenticated(method, url, **request)
        except (Rejected, AuthenticationError) as error:
            message = f"the token endpoint refuses the credentials ({error.code}); check them and the token address"
            raise AuthenticationError(message, code=Reason.CREDENTIALS_REFUSED) from None


class JwtLogin(TokenAuth):
    """The framework's login with name and password, and its refresh token.

    Args:
        username: the service account.
        password: its password.
        login: the login endpoint, relative to the base address.
        refresh: the endpoint that takes a refresh token.
        on_token: called with every token that is fetched.
    """

    def __init__(
        self,
        username: str,
        password: str,
        login: str = "/auth/login",
        refresh: str = "/auth/refresh",
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(on_token)
        conceal(password)
        self._credentials = {"username": username, "password": password}
        self._login = login
        self._refresh = refresh
        self._refresh_token = ""

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        answer = await self._refreshed(session) or await self._ask(session, self._login, json=self._credentials)
        self._refresh_token = str(answer.get("refresh_token") or "")
        if self._refresh_token:
            self._on_token(self._refresh_token)
        return answer

    async def _refreshed(self, session: RestSession) -> Mapping[str, Any] | None:
        """Use the refresh token, which may be good for one time only; ``None`` when a login is needed."""
        token, self._refresh_token = self._refresh_token, ""
        if not token:
            return None
        try:
            return await self._ask(session, self._refresh, json={"refresh_token": token})
        except AuthenticationError:
            return None


class ClientCredentials(TokenAuth):
    """OAuth 2.0 client credentials (RFC 6749, 4.4).

    Args:
        token_url: the token endpoint.
        client_id: who asks.
        client_secret: the proof.
        scopes: the rights that are asked for.
        on_token: called with every token that is fetched.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        scopes: Sequence[str] = (),
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(on_token)
        self._url = token_url
        self._basic = basic(client_id, client_secret)
        self._form = {"grant_type": "client_credentials", **({"scope": " ".join(scopes)} if scopes else {})}

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        return await self._ask(session, self._url, data=self._form, headers=self._basic.current())


def _seconds(lifetime: Any) -> float:
    """Return a token's lifetime; an hour when the system says nothing sensible."""
    try:
        seconds = float(lifetime)
    except (TypeError, ValueError):
        return LIFETIME
    return seconds if 0 < seconds < math.inf else LIFETIME
