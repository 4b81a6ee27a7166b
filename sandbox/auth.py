"""The callers of a system: API keys, passwords and tokens, each with its scopes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from sandbox.problems import HttpProblem


@dataclass(frozen=True)
class Principal:
    """A known caller with its scopes."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Account:
    """A caller's secret (password, client secret) and the principal behind it."""

    secret: str
    principal: Principal


@dataclass
class Token:
    """A token that was handed out; ``expires_at`` is in epoch seconds."""

    principal: Principal
    expires_at: float


@dataclass(frozen=True)
class Authentication:
    """The result of reading a request's credentials: a principal, or the code and reason why there is none."""

    principal: Principal | None
    code: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """The caller's name for the log."""
        return self.principal.name if self.principal else "anonymous"


_MISSING = Authentication(None, "AUTHENTICATION_FAILED", "Credentials are missing")
_WRONG = Authentication(None, "AUTHENTICATION_FAILED", "Credentials are wrong")
_EXPIRED = Authentication(None, "TOKEN_EXPIRED", "The token has expired")


@dataclass
class Authenticator:
    """Knows the callers of one system.

    Args:
        users: accounts by user name, for passwords.
        api_keys: principals by API key, for the ``X-API-Key`` header.
        clients: accounts by OAuth client id.
        basic: whether HTTP basic authentication is accepted for ordinary requests.
        lifetime: seconds for which a token is valid.
    """

    users: dict[str, Account] = field(default_factory=dict)
    api_keys: dict[str, Principal] = field(default_factory=dict)
    clients: dict[str, Account] = field(default_factory=dict)
    basic: bool = False
    lifetime: float = 3600.0
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    signing_key: str = field(default_factory=secrets.token_hex)

    def identify(self, headers: Iterable[tuple[bytes, bytes]]) -> Authentication:
        """Return the caller that these raw request headers name."""
        for name, value in headers:
            if name == b"authorization":
                return self._by_authorization(value.decode("latin-1"))
            if name == b"x-api-key" and self.api_keys:
                principal = self.api_keys.get(value.decode("latin-1"))
                return Authentication(principal) if principal else _WRONG
        return _MISSING

    def _by_authorization(self, value: str) -> Authentication:
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(credentials.strip())
        if scheme.lower() == "basic" and self.basic:
            account = self.by_password(self.users, *decode_basic(credentials))
            return Authentication(account) if account else _WRONG
        return _WRONG

    def _by_token(self, text: str) -> Authentication:
        token = self.tokens.get(text)
        if token is None:
            return _WRONG
        return Authentication(token.principal) if token.expires_at > time.time() else _EXPIRED

    @staticmethod
    def by_password(accounts: Mapping[str, Account], name: str, secret: str) -> Principal | None:
        """Return the principal of a name and a secret, or None."""
        account = accounts.get(name)
        if account and hmac.compare_digest(account.secret.encode(), secret.encode()):
            return account.principal
        return None

    def issue(self, principal: Principal) -> str:
        """Hand out an access token, a JWT signed with HS256."""
        expires_at = time.time() + self.lifetime
        claims = {"sub": principal.name, "exp": int(expires_at), "jti": secrets.token_hex(8)}
        text = _jwt(claims, self.signing_key)
        self.tokens[text] = Token(principal, expires_at)
        return text

    def issue_refresh(self, principal: Principal) -> str:
        """Hand out a refresh token, valid for 24 access-token lifetimes and for one use."""
        text = secrets.token_urlsafe(32)
        self.refresh_tokens[text] = Token(principal, time.time() + 24 * self.lifetime)
        return text

    def redeem(self, refresh_token: str) -> Principal | None:
        """Take a refresh token back and return its principal, or None if it is unknown or expired."""
        token = self.refresh_tokens.pop(refresh_token, None)
        return token.principal if token and token.expires_at > time.time() else None

    def expire(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Let the bearer token of these raw request headers expire now."""
        for name, value in headers:
            token = self.tokens.get(value.decode("latin-1").partition(" ")[2]) if name == b"authorization" else None
            if token:
                token.expires_at = 0.0


def require(scope: str = "") -> Callable[[Request], Awaitable[Principal]]:
    """Return a FastAPI dependency that lets only callers with that scope pass; none given: any known caller."""

    async def dependency(request: Request) -> Principal:
        identity: Authentication = request.state.identity
        if identity.principal is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="sandbox"'}
            raise HttpProblem(401, identity.code, identity.reason, headers=challenge)
        if scope and scope not in identity.principal.scopes:
            raise HttpProblem(403, "PERMISSION_DENIED", f"{identity.name} lacks {scope}")
        return identity.principal

    return dependency


def decode_basic(credentials: str) -> tuple[str, str]:
    """Return name and secret of an HTTP basic header; empty ones if it can't be read."""
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _jwt(claims: Mapping[str, object], key: str) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    body = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    signature = _base64(hmac.new(key.encode(), body, hashlib.sha256).digest())
    return f"{body.decode()}.{signature.decode()}"


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
