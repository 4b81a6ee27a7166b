"""Ways to say who asks. Tokens are fetched once for any number of calls, and renewed before they expire."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pv_testing.errors import AuthenticationError, IntegrationError, ResponseError

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession

SKEW = 60.0
NO_HEADERS: Mapping[str, str] = {}


class Auth:
    """Sends no credentials; the base of the others."""

    async def headers(self, session: RestSession) -> Mapping[str, str]:
        """Return the headers that every request carries.

        Args:
            session: where tokens can be fetched.

        Raises:
            AuthenticationError: the credentials are not accepted.
        """
        del session
        return NO_HEADERS

    async def renew(self, session: RestSession, refused: Mapping[str, str]) -> bool:
        """Get new credentials after a 401.

        Args:
            session: where tokens can be fetched.
            refused: the headers that the system did not accept.

        Returns:
            Whether another try makes sense.
        """
        del session, refused
        return False


class FixedHeader(Auth):
    """The same header with every request."""

    def __init__(self, name: str, value: str) -> None:
        self._headers = {name: value}

    async def headers(self, session: RestSession) -> Mapping[str, str]:
        """Return the header."""
        del session
        return self._headers


def api_key(key: str, header: str = "X-API-Key") -> Auth:
    """Send an API key in a header of its own."""
    return FixedHeader(header, key)


def basic(username: str, password: str) -> Auth:
    """Send name and password (RFC 7617)."""
    return FixedHeader("Authorization", "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())


def bearer(token: str) -> Auth:
    """Send a token that someone else has fetched (RFC 6750)."""
    return FixedHeader("Authorization", f"Bearer {token}")


class TokenAuth(Auth):
    """A token that is fetched when first needed and renewed before it expires, once for all concurrent calls.

    Args:
        on_token: called with every token that is fetched, so that logs can mask it.
    """

    def __init__(self, on_token: Callable[[str], None] | None = None) -> None:
        self._on_token = on_token
        self._lock = asyncio.Lock()
        self._headers: dict[str, str] = {}
        self._renew_at = 0.0

    async def headers(self, session: RestSession) -> Mapping[str, str]:
        """Return the header with a token that is still good for a while."""
        if time.monotonic() >= self._renew_at:
            async with self._lock:
                if time.monotonic() >= self._renew_at:
                    self._take(await self._fetch(session))
        return self._headers

    async def renew(self, session: RestSession, refused: Mapping[str, str]) -> bool:
        """Fetch a new token unless another call has done so since."""
        async with self._lock:
            if self._headers is refused:
                self._take(await self._fetch(session))
        return True

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        raise NotImplementedError

    def _take(self, said: Mapping[str, Any]) -> None:
        token = str(said.get("access_token") or "")
        if not token:
            raise AuthenticationError("the token endpoint answered without an access_token", code="TOKEN_MISSING")
        if self._on_token is not None:
            self._on_token(token)
        lifetime = float(said.get("expires_in") or 3600)
        self._renew_at = time.monotonic() + lifetime - min(SKEW, lifetime / 5)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def _ask(self, session: RestSession, url: str, **request: Any) -> Mapping[str, Any]:
        """Ask a token endpoint; what it says of a failure is never shown, as it may hold the secret."""
        try:
            response = await session.unauthenticated("POST", url, **request)
            said = response.json()
        except ResponseError as error:
            raise AuthenticationError(
                "the token endpoint's answer can't be understood", code="TOKEN_UNREADABLE"
            ) from error
        except IntegrationError as error:
            if error.code in {"HTTP_400", "HTTP_401", "HTTP_403", "HTTP_404", "HTTP_422"}:
                message = f"the token endpoint refuses the credentials ({error.code}); check them and the token address"
                raise AuthenticationError(message, code="CREDENTIALS_REFUSED") from None
            raise
        return said if isinstance(said, dict) else {}


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
        self._credentials = {"username": username, "password": password}
        self._login = login
        self._refresh = refresh
        self._refresh_token = ""

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        if self._refresh_token:
            token, self._refresh_token = self._refresh_token, ""
            try:
                return await self._ask(session, self._refresh, json={"refresh_token": token})
            except AuthenticationError:
                pass
        return await self._ask(session, self._login, json=self._credentials)

    def _take(self, said: Mapping[str, Any]) -> None:
        super()._take(said)
        self._refresh_token = str(said.get("refresh_token") or "")
        if self._refresh_token and self._on_token is not None:
            self._on_token(self._refresh_token)


class ClientCredentials(TokenAuth):
    """OAuth 2.0 client credentials (RFC 6749, 4.4).

    Args:
        token_url: the token endpoint.
        client_id: who asks.
        client_secret: the proof.
        scopes: what is asked for.
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
        return await self._ask(session, self._url, data=self._form, headers=await self._basic.headers(session))
