"""What is said of an Airflow connection that is needed and doesn't exist: at once, and with what to do."""

from __future__ import annotations

from pv_testing.errors import ConfigError


def no_connection(conn_id: str, conn_type: str, system: str = "", lacking: str = "") -> ConfigError:
    """Return the error for a connection that doesn't exist; another try finds it missing too, so that none is made.

    Args:
        conn_id: the connection.
        conn_type: of which type it must be.
        system: whose connection it is.
        lacking: what the configuration file doesn't say in its place; empty where the connection was asked for by name.
    """
    ways = f"Admin, Connections; airflow connections add; AIRFLOW_CONN_{conn_id.upper()}"
    why, other = ", which was asked for by name", "leave its name out"
    if lacking:
        why, other = ", and the configuration file doesn't say everything", "complete the file and its variables"
    text = f"there is no Airflow connection {conn_id!r}{why}: create it with the type {conn_type} ({ways}), or {other}"
    more = f". What is missing: {lacking}" if lacking else ""
    return ConfigError(text + more, system=system, code="CONNECTION_MISSING")
