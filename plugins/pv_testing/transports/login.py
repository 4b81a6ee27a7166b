"""A login that a contract describes as data: name and password give a token, which every request carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.contracts.login import Login
from pv_testing.core.errors import AuthenticationError, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.redaction import conceal
from pv_testing.transports.auth import TokenAuth

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession


class ContractLogin(TokenAuth):
    """Logs in as the contract says: when first needed, before the token expires, and when it is refused.

    Args:
        login: how.
        username: the service account.
        password: its password.
        on_token: called with every token that is fetched, so that logs can mask it.
    """

    def __init__(
        self, login: Login, username: str, password: str, on_token: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(on_token)
        conceal(password)
        self._login = login
        self._body = login.body(username, password)

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        login = self._login
        response = await self._answer(
            session, login.method, login.path, **{"data" if login.form else "json": self._body}
        )
        try:
            if login.refuses(response):
                message = f"the login at {login.path} refuses the credentials; check user and password"
                raise AuthenticationError(message, code=Reason.CREDENTIALS_REFUSED)
            token, lifetime = login.token(response), login.lifetime(response)
        except ResponseError:
            message = f"the answer of the login at {login.path} is not JSON; check base_url and the path"
            raise AuthenticationError(message, code=Reason.TOKEN_UNREADABLE) from None
        return {"access_token": self._usable(token), "expires_in": lifetime}

    def _usable(self, token: Any) -> str:
        """Return a token that a header can say."""
        text = str(token) if isinstance(token, (str, int)) and not isinstance(token, bool) else ""
        if not text:
            message = f"the login at {self._login.path} answered without a token at {self._login.place}"
            raise AuthenticationError(message, code=Reason.TOKEN_MISSING)
        self._on_token(text)
        if not (text.isprintable() and text.isascii()) or text != text.strip():
            message = f"the token of the login at {self._login.path} holds characters that no header can carry"
            raise AuthenticationError(message, code=Reason.TOKEN_UNREADABLE)
        return text

    def _carrying(self, token: str) -> Mapping[str, str]:
        return {self._login.header: self._login.value.replace("{token}", token)}
