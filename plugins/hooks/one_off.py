"""Airflow's HTTP hook on the connections of this project."""

from __future__ import annotations

import json

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection

from pv_testing.errors import ConfigError


class OneOffHttpHook(HttpHook):
    """Reads a connection of this project as one of Airflow's own type ``http``.

    Airflow's hook sends every extra field of a connection as a header, a client secret too; here only the key or the
    token becomes one.
    """

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return the connection as one of type ``http``.

        Args:
            conn_id: a connection of type ``pv_framework`` or ``pv_lims``.

        Raises:
            ConfigError: its authentication takes more than a header; the client speaks it.
        """
        stored = super().get_connection(conn_id)
        headers, basic = _authentication(stored)
        return Connection(
            conn_id=conn_id,
            conn_type="http",
            host=stored.host,
            schema=stored.schema,
            port=stored.port,
            login=stored.login if basic else None,
            password=stored.password if basic else None,
            extra=json.dumps(headers) if headers else None,
        )


def _authentication(stored: Connection) -> tuple[dict[str, str], bool]:
    extra = stored.extra_dejson
    kind = extra.get("auth_type") or ("api_key" if stored.conn_type == "pv_lims" else "jwt")
    if kind == "basic":
        return {}, True
    secret = extra.get("api_key") or stored.password or ""
    if kind == "api_key":
        return {extra.get("api_key_header") or "X-API-Key": secret}, False
    if kind == "bearer":
        return {"Authorization": f"Bearer {secret}"}, False
    problem = f"connection {stored.conn_id}: a one-off call can't authenticate with {kind}; use the hook's client"
    raise ConfigError(problem, code="ONE_OFF")
