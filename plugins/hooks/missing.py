"""Makes sure that an Airflow connection doesn't exist, and makes the error where one is needed."""

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
        lacking: the keys that the configuration file lacks, too; empty where the connection was asked for by name.
    """
    ways = f"Admin, Connections; airflow connections add; AIRFLOW_CONN_{conn_id.upper()}"
    why, other = ", which was asked for by name", "leave its name out"
    if lacking:
        why, other = ", and the configuration file doesn't say everything", "complete the file and its variables"
    text = f"there is no Airflow connection {conn_id!r}{why}: create it with the type {conn_type} ({ways}), or {other}"
    more = f". Missing: {lacking}" if lacking else ""
    return ConfigError(text + more, system=system, code="CONNECTION_MISSING")


def refuse_doubt(conn_id: str) -> None:
    """Return where Airflow confirms that there is no such connection.

    Within a task its look-up also finds nothing when the API server can't be asked. Taken for an answer, that would
    lead to another ledger or another address.

    Args:
        conn_id: of the connection that Airflow's look-up didn't find.

    Raises:
        NetworkError: Airflow can't say so now (``CONNECTION_UNREAD``).
    """
    supervisor = _supervisor()
    if supervisor is None:
        return
    try:
        answer = supervisor.send(_question(conn_id))
    except Exception as error:
        raise _doubt(conn_id) from error
    _judge(conn_id, answer)


async def arefuse_doubt(conn_id: str) -> None:
    """Work as :func:`refuse_doubt` does, within the running event loop."""
    supervisor = _supervisor()
    if supervisor is None:
        return
    try:
        answer = await supervisor.asend(_question(conn_id))
    except Exception as error:
        raise _doubt(conn_id) from error
    _judge(conn_id, answer)


def _supervisor() -> Any:
    """Return the process that Airflow asks for connections within a task or a trigger; ``None`` in others."""
    return getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None)


def _question(conn_id: str) -> Any:
    from airflow.sdk.execution_time.comms import GetConnection

    return GetConnection(conn_id=conn_id)


def _judge(conn_id: str, answer: Any) -> None:
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    if not isinstance(answer, ErrorResponse) or answer.error != ErrorType.CONNECTION_NOT_FOUND:
        raise _doubt(conn_id)


def _doubt(conn_id: str) -> NetworkError:
    text = f"Airflow's API server can't say whether there is a connection {conn_id!r}; nothing is taken in its place"
    return NetworkError(text, code="CONNECTION_UNREAD")
