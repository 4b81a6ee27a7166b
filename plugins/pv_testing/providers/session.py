"""From configuration and contract to a session: address, credentials, certificates and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from pv_testing.contracts.model import Contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.core.redaction import conceal
from pv_testing.ledger import Ledger
from pv_testing.providers.sharing import governor_of
from pv_testing.transports.assertion import SignedAssertion, SigningKey
from pv_testing.transports.auth import Auth, ClientCredentials, JwtLogin, api_key, basic, bearer
from pv_testing.transports.limits import Rate
from pv_testing.transports.login import ContractLogin
from pv_testing.transports.rest import RestSession, RestSettings
from pv_testing.transports.soap import SoapSession
from pv_testing.transports.sql import SqlSession
from pv_testing.transports.sql_engine import DatabaseLogin
from pv_testing.transports.starlims import StarlimsSignature
from pv_testing.transports.tls import Tls
from pv_testing.transports.wsse import Arguments, UsernameToken

if TYPE_CHECKING:
    from pv_testing.config import SystemConfig

ENVELOPE = frozenset({"wsse", "wsse_digest", "soap_arguments"})
"""The ways that put credentials into the envelope of SOAP."""
SIGNED_FOR = ("server_url", "hex_case", "impersonate")
"""The options of a signature for STARLIMS."""


def open_session(
    config: SystemConfig, contract: Contract, ledger: Ledger, on_token: Callable[[str], None] | None = None
) -> RestSession:
    """Return a session with a system; nothing is sent before its first request.

    Args:
        config: where the system is and who asks.
        contract: how much, how fast and how long.
        ledger: where the system's wish to be left alone is kept.
        on_token: called with every token that is fetched.

    Raises:
        ConfigError: what the way of authentication needs is missing.
    """
    limits = contract.limits
    settings = RestSettings(
        base_url=config.base_url,
        system=config.system,
        provider=contract.provider,
        attempt_timeout=limits.attempt_timeout,
        total_timeout=limits.total_timeout,
        response_bytes=limits.response_bytes,
        rate=Rate(limits.rate.requests, limits.rate.per) if limits.rate else None,
        concurrency=limits.concurrency,
        tls=Tls(config.ca_cert, config.client_cert, config.client_key),
        allow_http=config.allow_http,
        not_processed=contract.rules.not_processed,
    )
    session = _session(settings, config, contract, ledger, on_token)
    governor = governor_of(config, ledger)
    if governor is not None:
        session.throttle.govern(governor)
    return session


def _session(
    settings: RestSettings,
    config: SystemConfig,
    contract: Contract,
    ledger: Ledger,
    on_token: Callable[[str], None] | None,
) -> RestSession:
    if contract.database is not None:
        return SqlSession(
            contract.database,
            settings,
            login_of(config),
            ledger.transaction if config.options.get("one_transaction") and not ledger.volatile else None,
            on_pause=lambda until: ledger.pause(config.system, until),
            not_before=ledger.paused_until(config.system),
        )
    kind = RestSession if contract.soap is None else partial(SoapSession, contract.soap)
    return kind(
        settings,
        make_auth(config, contract, on_token),
        on_pause=lambda until: ledger.pause(config.system, until),
        not_before=ledger.paused_until(config.system),
    )


def login_of(config: SystemConfig) -> DatabaseLogin:
    """Return who asks a database.

    Args:
        config: which way, and the credentials.

    Raises:
        ConfigError: databases know no such way, or a setting that it needs is missing.
    """
    if config.auth_type == "basic":
        conceal(config.password)
        return DatabaseLogin(_needed(config, "username"), _needed(config, "password"))
    if config.auth_type in {"none", "mtls"}:
        return DatabaseLogin(config.username)
    message = f"a database isn't asked with auth_type {config.auth_type!r}; use basic, mtls or none"
    raise ConfigError(message, system=config.system, code=Reason.AUTH_TYPE)


def make_auth(config: SystemConfig, contract: Contract, on_token: Callable[[str], None] | None = None) -> Auth:
    """Return the configured way to say who asks; a client certificate may stand alone or beside any of them.

    Args:
        config: which way, and the credentials.
        contract: what the way needs to know of the product, such as where it logs in.
        on_token: called with every token that is fetched.

    Raises:
        ConfigError: a setting that the way needs is missing.
    """
    kind = "oauth2" if config.auth_type == "mtls" and config.client_id else config.auth_type
    known = contract.authentication.get(kind, {})
    if kind in {"none", "mtls"}:
        return Auth()
    if kind == "api_key":
        return api_key(_needed(config, "api_key"), config.api_key_header or known.get("header", "X-API-Key"))
    if kind == "bearer":
        return bearer(_needed(config, "token"), known.get("scheme", "Bearer"))
    if kind == "basic":
        return basic(_needed(config, "username"), _needed(config, "password"))
    if kind in ENVELOPE:
        return _in_envelope(config, contract)
    if kind == "starlims":
        return _signature(config, known)
    if kind == "jwt":
        login, refresh = known.get("login", "/auth/login"), known.get("refresh", "/auth/refresh")
        return JwtLogin(_needed(config, "username"), _needed(config, "password"), login, refresh, on_token)
    if kind == "login":
        if contract.login is None:
            message = f"auth_type 'login' needs authentication.login in {contract.file}; describe it there"
            raise ConfigError(message, system=config.system, code=Reason.SETTING_MISSING)
        return ContractLogin(contract.login, _needed(config, "username"), _needed(config, "password"), on_token)
    return _oauth2(config, kind, known, on_token)


def _oauth2(config: SystemConfig, kind: str, known: Mapping[str, str], on_token: Callable[[str], None] | None) -> Auth:
    """Return client credentials that are proved by a secret, or by a signature."""
    token_url = config.token_url or urljoin(config.base_url, known.get("token", "/oauth/token"))
    if kind == "oauth2_jwt":
        return SignedAssertion(
            token_url,
            _needed(config, "client_id"),
            SigningKey(
                _needed(config, "signing_key"),
                _needed(config, "signing_key_id"),
                known.get("algorithm", "PS256"),
            ),
            config.scopes,
            on_token,
        )
    secret = _needed(config, "client_secret")
    return ClientCredentials(token_url, _needed(config, "client_id"), secret, config.scopes, on_token)


def _in_envelope(config: SystemConfig, contract: Contract) -> Auth:
    """Return the way to say who asks within each envelope of SOAP."""
    kind = config.auth_type
    if contract.soap is None:
        message = f"auth_type {kind!r} is for SOAP, and {contract.file} names no WSDL"
        raise ConfigError(message, system=config.system, code=Reason.AUTH_TYPE)
    username, password = _needed(config, "username"), _needed(config, "password")
    if kind != "soap_arguments":
        return UsernameToken(username, password, digest=kind == "wsse_digest")
    if contract.soap.credentials is None:
        message = f"auth_type {kind!r} needs soap.credentials in {contract.file}, the names of the two arguments"
        raise ConfigError(message, system=config.system, code=Reason.SETTING_MISSING)
    return Arguments(username, password, contract.soap.credentials)


def _signature(config: SystemConfig, known: Mapping[str, str]) -> Auth:
    """Return the signature of STARLIMS, with what its place says of it."""
    options = {name: str(config.options[name]) for name in SIGNED_FOR if name in config.options}
    return StarlimsSignature(
        _needed(config, "client_id"),
        _needed(config, "client_secret"),
        config.base_url,
        method=known.get("method", ""),
        session=config.token,
        **options,
    )


def _needed(config: SystemConfig, name: str) -> str:
    value = getattr(config, name)
    if not value:
        message = f"auth_type {config.auth_type!r} needs {name}; set it in the configuration or in the connection"
        raise ConfigError(message, system=config.system, code=Reason.SETTING_MISSING)
    return str(value)
