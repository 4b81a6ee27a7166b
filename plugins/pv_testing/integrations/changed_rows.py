"""What a system has written into its tables since it was read last: each version of a row once.

A row is dated before it is committed, so that a row with an earlier date may appear after one with a later. Therefore
each reading begins some time before the newest date that was seen, the ``overlap`` of the contract, and what was given
before is known by key and version. A commit that comes later than the overlap is missed; nothing else is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.contracts.database import Changes, TableSpec
from pv_testing.core.errors import ConfigError, ResponseError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.reasons import Reason
from pv_testing.core.sync import run
from pv_testing.core.values import instant
from pv_testing.integrations.client import SystemClient

Row = Mapping[str, Any]
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """What one reading gives.

    Attributes:
        rows: those that are new, or have another content than before, in the order of their dates.
        mark: the newest date that was read, RFC 3339; empty where there was none.
        seen: the versions of all rows that the next reading may meet again, by key.
    """

    rows: Sequence[Row]
    mark: str
    seen: Mapping[str, str]


class ChangedRows:
    """Reads a listing whose contract says ``changes``.

    How far it came is kept in the ledger, by :meth:`keep`, which is to be called once the rows are taken care of. A
    process that ends before gives the same rows again, so that what is done with them must bear that; an exchange does.

    Args:
        client: of the system; its ledger keeps how far the reading came.
        operation: the listing, such as ``get_changed_results``.

    Raises:
        ConfigError: the contract doesn't say how the listing is read for changes (``NO_CHANGES``).
    """

    def __init__(self, client: SystemClient, operation: str) -> None:
        self._client = client
        self._operation = operation
        self._changes, self._table = _changes_and_table(client, operation)
        self._key = f"{client.system}/changes/{operation}"

    def read(self) -> Changed:
        """Do what :meth:`aread` does, and wait for it."""
        return run(self.aread())

    async def aread(self) -> Changed:
        """Return what has changed since :meth:`keep` was called last; at first, everything.

        Raises:
            IntegrationError: as of :meth:`SystemClient.alist`.
            ResponseError: a row has no date that can be read (``DATE_MISSING``).
        """
        ledger = await asyncio.to_thread(lambda: self._client.ledger)
        state = await asyncio.to_thread(ledger.state, self._key, _nothing())
        now = await asyncio.to_thread(ledger.now)
        since = {"since": self._before(state["mark"])} if state["mark"] else {}
        rows = await self._client.alist(self._operation, **since)
        versions = {self._key_of(row): fingerprint(dict(row)) for row in rows}
        fresh = [row for row in rows if state["seen"].get(self._key_of(row)) != versions[self._key_of(row)]]
        # A date in the future must not hide what is dated before it and comes later.
        dates = [self._date(row) for row in rows]
        latest = datetime.fromtimestamp(now, timezone.utc)
        newest = [instant(min(max(dates), latest))] if dates else []
        mark = max(state["mark"], *newest, key=_moment) if newest else state["mark"]
        return Changed(fresh, mark, self._within(rows, versions, mark))

    async def akeep(self, changed: Changed) -> None:
        """Remember that the rows of a reading are taken care of."""
        ledger = await asyncio.to_thread(lambda: self._client.ledger)

        def merged(state: State) -> State:
            mark = max(state["mark"], changed.mark, key=_moment)
            passed = _moment(state["mark"]) < _moment(mark)
            return {"mark": mark, "seen": {**({} if passed else state["seen"]), **changed.seen}}

        await asyncio.to_thread(ledger.update, self._key, merged, _nothing())

    def keep(self, changed: Changed) -> None:
        """Do what :meth:`akeep` does, and wait for it."""
        run(self.akeep(changed))

    def _before(self, mark: str) -> str:
        return instant(_moment(mark) - timedelta(seconds=self._changes.overlap))

    def _within(self, rows: Sequence[Row], versions: Mapping[str, str], mark: str) -> dict[str, str]:
        """Return the versions of what the next reading meets again."""
        if not mark:
            return {}
        begin = _moment(self._before(mark))
        return {self._key_of(row): versions[self._key_of(row)] for row in rows if self._date(row) >= begin}

    def _key_of(self, row: Row) -> str:
        names = [self._table.id] if self._table.id else self._table.key
        return "/".join(str(row.get(name)) for name in names)

    def _date(self, row: Row) -> datetime:
        try:
            return _moment(str(row[self._changes.by]))
        except (KeyError, ValueError):
            message = f"a row of {self._operation} has no date in {self._changes.by}"
            raise ResponseError(message, code=Reason.DATE_MISSING, excerpt=str(row)) from None


_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


def _nothing() -> State:
    return {"mark": "", "seen": {}}


def _moment(text: str) -> datetime:
    """Return a date that was kept; as text, dates don't sort where some have fractions of a second."""
    return _EARLIEST if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _changes_and_table(client: SystemClient, operation: str) -> tuple[Changes, TableSpec]:
    database = client.contract.database
    path = client.contract.operation(operation).call.path.text
    if database is None or operation not in database.changes:
        message = f"{client.contract.file}: operations.{operation}: says no `changes` beside its table"
        raise ConfigError(message, system=client.system, code=Reason.NO_CHANGES)
    return database.changes[operation], database.statements[path].table
