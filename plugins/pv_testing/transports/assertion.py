"""OAuth 2.0 client credentials, proved by a signed JWT in the place of a secret (RFC 7523, 2.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.transports.auth import TokenAuth

if TYPE_CHECKING:
    from pv_testing.transports.rest import RestSession

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VALID = 300
"""Seconds for which an assertion is good; it is sent at once."""


class SigningKey(NamedTuple):
    """A private key.

    Attributes:
        file: where it is, as PEM without a passphrase.
        id: under which the system knows its certificate.
        algorithm: of JWS, such as ``PS256`` or ``ES256``.
    """

    file: str
    id: str
    algorithm: str


class SignedAssertion(TokenAuth):
    """Tokens for a client that signs its requests for them.

    Args:
        token_url: the token endpoint, which is also whom the assertion is for.
        client_id: who asks.
        key: signs.
        scopes: the rights that are asked for.
        on_token: called with every token that is fetched.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        key: SigningKey,
        scopes: Sequence[str] = (),
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(on_token)
        self._url, self._client_id, self._key, self._scopes = token_url, client_id, key, tuple(scopes)

    async def _fetch(self, session: RestSession) -> Mapping[str, Any]:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        return await self._ask(session, self._url, data=form)

    def _assertion(self) -> str:
        import jwt

        now = int(time.time())
        claims: dict[str, Any] = {"iss": self._client_id, "sub": self._client_id, "aud": self._url}
        claims |= {"iat": now, "exp": now + VALID, **({"scope": ",".join(self._scopes)} if self._scopes else {})}
        try:
            key = Path(self._key.file).read_bytes()
            return jwt.encode(claims, key, self._key.algorithm, headers={"kid": self._key.id})
        except (OSError, ValueError, TypeError, NotImplementedError, jwt.PyJWTError) as error:
            message = f"signing_key {self._key.file} can't sign by {self._key.algorithm} ({type(error).__name__}); give"
            raise ConfigError(f"{message} a private key as PEM", code=Reason.CREDENTIALS_UNUSABLE) from None
