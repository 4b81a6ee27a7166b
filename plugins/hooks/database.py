"""Connections of Airflow's own database types, as the SQL providers have them, in the place of a ``pv_`` connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from pv_testing.config.connection import ConnectionLike

TYPES: Mapping[str, str] = {
    "postgres": "postgresql",
    "mysql": "mariadb",
    "sqlite": "sqlite",
    "mssql": "mssql",
    "oracle": "oracle",
}
"""How the address of a database begins, by the type of its connection."""
_FILES: Mapping[str, str] = {
    "sslrootcert": "ca_cert",
    "ssl_ca": "ca_cert",
    "sslcert": "client_cert",
    "ssl_cert": "client_cert",
    "sslkey": "client_key",
    "ssl_key": "client_key",
}


@dataclass
class DatabaseConnection:
    """A connection of a database, as the configuration reads connections."""

    conn_id: str
    host: str | None
    login: str | None
    password: str | None
    extra_dejson: dict[str, Any] = field(repr=False)
    schema: str | None = None
    port: int | None = None


def as_system(connection: Connection) -> ConnectionLike:
    """Return a connection as that of a system; one of no database is returned as it is.

    Of the extra fields only the files of certificates count. A server that isn't this machine is verified, whatever
    ``sslmode`` says.

    Args:
        connection: of type ``postgres``, ``mysql``, ``sqlite``, ``mssql`` or ``oracle``, or of another type whose hook
            is one of the common SQL provider.
    """
    if (connection.conn_type or "") in TYPES:
        address, login, password = _by_fields(connection), connection.login, connection.password
    else:
        parts = _by_hook(connection)
        if parts is None:
            return connection
        address, login, password = parts
    files = {_FILES[name]: value for name, value in connection.extra_dejson.items() if name in _FILES and value}
    way = "basic" if password else "none"
    extra = {"auth_type": way, **({"username": login} if login else {}), **files}
    return DatabaseConnection(connection.conn_id, address, login, password, extra)


def _by_fields(connection: Connection) -> str:
    backend = TYPES[connection.conn_type or ""]
    if backend == "sqlite":
        return f"sqlite:///{connection.host or connection.schema or ''}"
    port = f":{connection.port}" if connection.port else ""
    return f"{backend}://{connection.host or 'localhost'}{port}/{connection.schema or ''}"


def _by_hook(connection: Connection) -> tuple[str, str | None, str | None] | None:
    """Ask the connection's own hook, where it is one for databases."""
    if not connection.conn_type or connection.conn_type.startswith("pv_"):
        return None
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.exceptions import AirflowException

    try:
        hook = connection.get_hook()
    except AirflowException:
        return None
    if not isinstance(hook, DbApiHook):
        return None
    url = hook.sqlalchemy_url
    plain = url.set(username=None, password=None, drivername=url.get_backend_name(), query={})
    return plain.render_as_string(), url.username, url.password
