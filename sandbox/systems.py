"""Puts the systems together from the settings: stores, callers, applications."""

from __future__ import annotations

from sandbox.auth import Account, Authenticator, Principal
from sandbox.framework import app as framework_app
from sandbox.framework import records as framework_records
from sandbox.lims import app as lims_app
from sandbox.lims import records as lims_records
from sandbox.server import Part
from sandbox.settings import Credentials, Settings
from sandbox.store import Store
from sandbox.system import Limiter, System, full_schema

LIMS_SCOPES = frozenset({"read:samples", "write:samples", "write:results"})


def framework(settings: Settings, credentials: Credentials) -> Part:
    """Return the framework."""
    roles = {user[1]: user[4] for user in framework_app.USERS}
    passwords = {
        credentials.framework_username: credentials.framework_password,
        credentials.framework_viewer: credentials.framework_viewer_password,
    }
    users = {name: Account(secret, _user(name, roles.get(name, "engineer"))) for name, secret in passwords.items()}
    store = Store(settings.framework_database, full_schema(framework_records.SCHEMA))
    callers = Authenticator(users=users, lifetime=settings.token_lifetime)
    limiter = Limiter(settings.rate_limit)
    keys = framework_records.BUSINESS_KEYS
    system = System("framework", store, callers, keys, limiter, credentials.sandbox_key)
    return Part(system, framework_app.build(system), settings.framework_port)


def _user(name: str, role: str) -> Principal:
    return Principal(name, framework_app.PERMISSIONS[role])


def lims(settings: Settings, credentials: Credentials) -> Part:
    """Return the LIMS."""
    every = Principal(credentials.lims_username, LIMS_SCOPES)
    client = Principal(credentials.lims_client_id, LIMS_SCOPES)
    callers = Authenticator(
        users={credentials.lims_username: Account(credentials.lims_password, every)},
        api_keys={
            credentials.lims_api_key: Principal("api-key", LIMS_SCOPES),
            credentials.lims_reader_key: Principal("reader-key", frozenset({"read:samples"})),
        },
        clients={credentials.lims_client_id: Account(credentials.lims_client_secret, client)},
        basic=True,
        lifetime=settings.token_lifetime,
    )
    store = Store(settings.lims_database, full_schema(lims_records.SCHEMA))
    keys = lims_records.BUSINESS_KEYS
    system = System("lims", store, callers, keys, control_key=credentials.sandbox_key)
    return Part(system, lims_app.build(system, idempotency=settings.idempotency), settings.lims_port)


def both(settings: Settings, credentials: Credentials) -> list[Part]:
    """Return the framework and the LIMS, ready to be served."""
    return [framework(settings, credentials), lims(settings, credentials)]
