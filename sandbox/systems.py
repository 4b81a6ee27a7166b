"""Puts the systems together from the settings: stores, callers, applications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.auth import Account, Authenticator, Principal, Token
from sandbox.erp import app as erp_app
from sandbox.erp import records as erp_records
from sandbox.framework import app as framework_app
from sandbox.framework import records as framework_records
from sandbox.gate import Gate
from sandbox.lims import app as lims_app
from sandbox.lims import records as lims_records
from sandbox.pm import app as pm_app
from sandbox.pm import records as pm_records
from sandbox.qms import app as qms_app
from sandbox.qms import records as qms_records
from sandbox.server import Part
from sandbox.settings import Credentials, Settings
from sandbox.store import Database
from sandbox.system import Limiter, System, full_schema

LIMS_SCOPES = frozenset({"read:samples", "write:samples", "write:results"})
QMS_SCOPES = frozenset({"read:nc", "write:nc", "read:capa", "write:capa", "write:audit", "read:audit"})
PM_SCOPES = frozenset({"read:tasks", "write:tasks", "write:time"})
ERP_SCOPES = frozenset(
    {"read:invoices", "write:invoices", "read:customers", "write:customers", "read:stock", "write:stock"}
)


def framework(settings: Settings, credentials: Credentials) -> Part:
    """Return the framework."""
    roles = {user[1]: user[4] for user in framework_app.USERS}
    passwords = {
        credentials.framework_username: credentials.framework_password,
        credentials.framework_viewer: credentials.framework_viewer_password,
    }
    users = {name: Account(secret, _user(name, roles.get(name, "engineer"))) for name, secret in passwords.items()}
    store = Database(settings.database("framework"), full_schema(framework_records.SCHEMA))
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
    store = Database(settings.database("lims"), full_schema(lims_records.SCHEMA))
    keys = lims_records.BUSINESS_KEYS
    system = System("lims", store, callers, keys, control_key=credentials.sandbox_key)
    application = lims_app.build(system, idempotency=settings.idempotency, naive=settings.naive)
    return Part(system, application, settings.lims_port)


def qms(settings: Settings, credentials: Credentials) -> Part:
    """Return the QMS."""
    every = Principal(credentials.qms_username, QMS_SCOPES)
    client = Principal(credentials.qms_client_id, QMS_SCOPES)
    callers = Authenticator(
        users={credentials.qms_username: Account(credentials.qms_password, every)},
        clients={credentials.qms_client_id: Account(credentials.qms_client_secret, client)},
        basic=True,
        lifetime=settings.token_lifetime,
    )
    return _part("qms", settings, credentials, callers, qms_records, qms_app.build)


def pm(settings: Settings, credentials: Credentials) -> Part:
    """Return the project management system."""
    reader = Principal("reader-token", frozenset({"read:tasks"}))
    callers = Authenticator(lifetime=settings.token_lifetime)
    callers.tokens[credentials.pm_token] = Token(Principal("integration", PM_SCOPES), float("inf"))
    callers.tokens[credentials.pm_reader_token] = Token(reader, float("inf"))
    return _part("pm", settings, credentials, callers, pm_records, pm_app.build)


def erp(settings: Settings, credentials: Credentials) -> Part:
    """Return the ERP."""
    client = Principal(credentials.erp_client_id, ERP_SCOPES)
    callers = Authenticator(
        clients={credentials.erp_client_id: Account(credentials.erp_client_secret, client)},
        lifetime=settings.token_lifetime,
    )
    return _part("erp", settings, credentials, callers, erp_records, erp_app.build)


def _part(
    name: str,
    settings: Settings,
    credentials: Credentials,
    callers: Authenticator,
    records: Any,
    build: Callable[[System], Gate],
) -> Part:
    store = Database(settings.database(name), full_schema(records.SCHEMA))
    system = System(name, store, callers, records.BUSINESS_KEYS, control_key=credentials.sandbox_key)
    return Part(system, build(system), getattr(settings, f"{name}_port"))


SYSTEMS = {"framework": framework, "lims": lims, "qms": qms, "pm": pm, "erp": erp}


def every(settings: Settings, credentials: Credentials) -> list[Part]:
    """Return all systems, ready to be served."""
    return [make(settings, credentials) for make in SYSTEMS.values()]
