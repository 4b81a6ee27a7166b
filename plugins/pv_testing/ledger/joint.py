"""Transactions in the ledger's database in which something else is written together with its settlement.

Only PostgreSQL has more than one writer at a time, so only there somebody may write for a while before the ledger's
lock is taken. The lock is taken last, right before the commit, so that no other process waits for what is written
besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from pv_testing.core.errors import ConfigError
from pv_testing.core.reasons import Reason
from pv_testing.ledger import claims, postgresql
from pv_testing.ledger.store import Store, Writing
from pv_testing.ledger.types import Settlement


@contextmanager
def transaction(store: Store) -> Iterator[Connection]:
    """Give a transaction.

    Raises:
        ConfigError: the ledger is no PostgreSQL database (``ONE_TRANSACTION``).
    """
    if store.sqlite:
        message = "options.one_transaction needs a ledger on PostgreSQL, in the database that is written to"
        raise ConfigError(message, code=Reason.ONE_TRANSACTION)
    with store.exclusive() as connection:
        yield connection


def settle(connection: Connection, settlements: Sequence[Settlement], owner: str) -> list[str]:
    """Settle records in a transaction, and return the keys that others have taken over; then it must be rolled back."""
    if not settlements:
        return []
    return claims.settle_within(Writing(connection, postgresql.take_turn(connection)), settlements, owner)
