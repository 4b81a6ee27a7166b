"""Tryton's session: name and password give a key, which every call carries."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pv_testing.core.errors import AuthenticationError, Rejected, ResponseError
from pv_testing.core.reasons import Reason
from pv_testing.core.redaction import conceal
from pv_testing.transports.auth import TokenAuth

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession

PATH = "/rpc/"


class TrytonLogin(TokenAuth):
    """Logs in when first needed, and again when Tryton doesn't know the session any more.

    Args:
        username: the user's login.
        password: the user's.
        on_token: called with every session key, so that logs can mask it.
    """

    scheme = "Session"

    def __init__(self, username: str, password: str, on_token: Callable[[str], None] | None = None) -> None:
        super().__init__(on_token)
        conceal(password)
        self._username = username
        self._password = password

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        asked = {"id": 0, "method": "common.db.login", "params": [self._username, {"password": self._password}]}
        try:
            answer = (await session.unauthenticated("POST", PATH, json=asked)).json()
        except ResponseError:
            message = "the answer to the login is not JSON; base_url must end in the name of the database"
            raise AuthenticationError(message, code=Reason.TOKEN_UNREADABLE) from None
        except (Rejected, AuthenticationError) as error:
            message = f"Tryton refuses the login ({error.code}); check user, password and the database in base_url"
            raise AuthenticationError(message, code=Reason.CREDENTIALS_REFUSED) from None
        match answer:
            case {"result": [int(user), str(key), *_]}:
                self._on_token(key)
                credentials = base64.b64encode(f"{self._username}:{user}:{key}".encode()).decode()
                self._on_token(credentials)
                return {"access_token": credentials}
        message = "Tryton wants more than a password from this user; give the integration one that needs no other"
        raise AuthenticationError(message, code=Reason.TOKEN_MISSING)
