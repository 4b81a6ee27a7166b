"""Whether an Airflow connection surely doesn't exist, and what is said of one that is needed then."""

from __future__ import annotations

import sys
from typing import Any

from pv_testing.core.errors import ConfigError, NetworkError


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


def refuse_doubt(conn_id: str) -> None:
    """Return where Airflow says that there is no such connection.

    Within a task its look-up finds nothing, too, when the API server can't be asked. Taken for an answer, that would
    lead to another ledger or another address.

    Args:
        conn_id: the connection that was not found.

    Raises:
        NetworkError: Airflow can't say so now (``CONNECTION_UNREAD``).
    """
    supervisor = _supervisor()
    if supervisor is None:
        return
    try:
        said = supervisor.send(_question(conn_id))
    except Exception as error:
        raise _doubt(conn_id) from error
    _judge(conn_id, said)


async def arefuse_doubt(conn_id: str) -> None:
    """Do what :func:`refuse_doubt` does, within the running event loop."""
    supervisor = _supervisor()
    if supervisor is None:
        return
    try:
        said = await supervisor.asend(_question(conn_id))
    except Exception as error:
        raise _doubt(conn_id) from error
    _judge(conn_id, said)


def _supervisor() -> Any:
    """Return what Airflow asks for connections within a task or a trigger; ``None`` in other processes."""
    return getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None)


def _question(conn_id: str) -> Any:
    from airflow.sdk.execution_time.comms import GetConnection

    return GetConnection(conn_id=conn_id)


def _judge(conn_id: str, said: Any) -> None:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    if not isinstance(said, ErrorResponse) or said.error != ErrorType.CONNECTION_NOT_FOUND:
        raise _doubt(conn_id)


def _doubt(conn_id: str) -> NetworkError:
    text = f"Airflow's API server can't say whether there is a connection {conn_id!r}; nothing is taken in its place"
    return NetworkError(text, code="CONNECTION_UNREAD")
