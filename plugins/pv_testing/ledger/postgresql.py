"""What the ledger asks of a PostgreSQL server and of each session there, and which server it doesn't write to.

A commit counts when the server has it on its disk. That is ``synchronous_commit``, which defaults of the server, a
role, a database or the ledger's URL may weaken; therefore each session asks for ``on``, and each writing transaction
again, because a pooler may have dropped what the session asked for. ``on`` is as durable as ``remote_apply``, which
only makes readers of a standby see sooner what is there; ``remote_write``, ``local`` and ``off`` are less. What no
session can choose is looked at once a connection: a server without ``fsync`` or ``full_page_writes`` may lose or tear
what it has acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from pv_testing.core.errors import LedgerError
from pv_testing.core.reasons import Reason
from pv_testing.ledger.failures import place

CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""How long a writer waits for another one; long enough for one or two that stand still to be thrown out."""
STANDSTILL_SECONDS = 10
"""How long a session may do nothing in the midst of a transaction before the server ends it."""
# What libpq takes for a server that is gone: one that acknowledges nothing for a minute.
_LOST = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# The last one is for a client that stands still while the server sends it an answer.
_LIMITS = {
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{STANDSTILL_SECONDS}s",
    "tcp_user_timeout": f"{2 * STANDSTILL_SECONDS}s",
}
_DURABLE = {"synchronous_commit": "on"}
_SERVER = ("fsync", "full_page_writes")
_LOOK = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in _SERVER))
_CLOCK = "extract(epoch FROM clock_timestamp())"
_DURABLY = text(f"SELECT {_CLOCK}, " + ", ".join(f"set_config('{k}', '{v}', true)" for k, v in _DURABLE.items()))
_LOCK = text("LOCK TABLE ledger_head IN EXCLUSIVE MODE")


def arguments(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the driver is told.

    Args:
        query: of the URL; it may say otherwise, but for what makes a commit durable.
    """
    options = " ".join((_settings(_LIMITS), str(query.get("options", "")), _settings(_DURABLE)))
    return {
        "connect_timeout": int(str(query.get("connect_timeout", CONNECT_SECONDS))),
        "options": options,
        "application_name": "pv_testing ledger",
        **{name: int(str(query.get(name, otherwise))) for name, otherwise in _LOST.items()},
    }


def _settings(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def refuse_unsafe(connection: Connection, url: URL) -> None:
    """Look once at the server of a connection.

    Raises:
        LedgerError: it doesn't force what it acknowledges to its disk (``LEDGER_UNSAFE``).
    """
    if connection.info.get("safe"):
        return
    settings = connection.execute(_LOOK).one()
    weak = [name for name, value in zip(_SERVER, settings, strict=True) if value != "on"]
    if weak:
        raise LedgerError(
            f"the ledger at {place(url)} can't be used: its database server runs with {', '.join(weak)} off and may "
            "lose what it has acknowledged: switch it on in postgresql.conf and reload the server; nothing is sent",
            code=Reason.LEDGER_UNSAFE,
        )
    connection.info["safe"] = True


def take_turn(connection: Connection) -> float:
    """Wait for the ledger's write lock, make the commit durable, and return the server's clock after that."""
    connection.execute(_LOCK)
    return float(connection.execute(_DURABLY).one()[0])


def allow_pauses(connection: Connection) -> None:
    """Let a transaction that only reads stand still for an hour; it shuts no other one out."""
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1h'"))


def clock(connection: Connection) -> float:
    """Return epoch seconds on the server's clock."""
    return float(connection.scalar(text(f"SELECT {_CLOCK}")))
