"""Keeps the timetables of shared limits in the ledger's database, apart from what is evidence.

On PostgreSQL a lease locks its system's row alone, so that it waits for no settlement and no settlement for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pv_testing.core import clock
from pv_testing.ledger.store import Store
from pv_testing.ledger.tables import timetable
from pv_testing.transports.governor import Leased
from pv_testing.transports.governor.kept import read

if TYPE_CHECKING:
    from pv_testing.transports.governor.timetable_store import Change


class LedgerTimetables:
    """Timetables in a ledger's database; of type :class:`~pv_testing.transports.governor.TimetableStore`.

    Args:
        store: the ledger's database, which its owner closes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def change(self, system: str, change: Change) -> Leased:
        """Change a system's timetable in one transaction."""
        with self._store.exclusive() as connection:
            kept = self._locked(connection, system)
            now = self._store.clock(connection)
            read_at = clock.seconds()
            state, grant = change(read(system, kept, now), now)
            wanted = timetable.c.system == system
            connection.execute(update(timetable).where(wanted).values(state=orjson.dumps(state).decode()))
        return Leased(grant, now, read_at)

    def _locked(self, connection: Connection, system: str) -> str:
        row = select(timetable.c.state).where(timetable.c.system == system).with_for_update()
        kept = connection.scalar(row)
        if kept is None:
            dialect = sqlite if self._store.sqlite else postgresql
            new = dialect.insert(timetable).values(system=system, state="{}")
            connection.execute(new.on_conflict_do_nothing())
            kept = connection.scalar(row)
        return str(kept)

    def close(self) -> None:
        """Leave the ledger open; it belongs to the client."""


def used_up(connection: Connection, now: float) -> dict[str, float]:
    """Return the systems which say that their own limit is used up, with the epoch seconds until when.

    Args:
        connection: to the ledger's database.
        now: epoch seconds.
    """
    told = {system: read(system, kept, now).get("told") for system, kept in connection.execute(select(timetable))}
    return {system: each[1] for system, each in told.items() if each and each[0] < 1 and each[1] > now}


def forget(connection: Connection, system: str, now: float) -> None:
    """Forget what a system has said of its own limit.

    Args:
        connection: in a transaction.
        system: which.
        now: epoch seconds.
    """
    wanted = timetable.c.system == system
    kept = connection.scalar(select(timetable.c.state).where(wanted).with_for_update())
    if kept is not None:
        state = orjson.dumps({**read(system, kept, now), "told": None}).decode()
        connection.execute(update(timetable).where(wanted).values(state=state))
