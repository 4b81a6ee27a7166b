"""One reading of the changes in the framework, for all sweeps: one asks, the others take its answer.

A dozen sweeps that each log in and list the same changes would use up a small quota without any news. Therefore a sweep
keeps what it has listed in the ledger. Another sweep may take that as its own reading: it is told when the framework
was asked, so that it goes on from there and not from the moment when it took the answer.

While one sweep asks, the others wait for its answer, at most for the time of its lease.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from pv_testing.integrations.addresses import comparable
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.ledger.marks import READING
from pv_testing.workflow.changes import EXECUTIONS, FEW, REQUESTS, Place, Row, changed_since, offers

LEASE, SEEN = f"{READING}/lease", f"{READING}/seen"
# Longer than a reading takes; whoever waits for one that was killed goes on then.
LEASE_SECONDS = 30.0
POLL_SECONDS = 0.1
# A larger answer is not kept: it is rare, and the ledger isn't made for it.
MOST_ROWS = 2_000
_REQUEST = ("id", "sr_number", "status", "created_at", "updated_at")
_EXECUTION = ("sr_id", "service_request_id", "status", "updated_at")

Kept = dict[str, Any]


class Wanted(Enum):
    """How new a reading a sweep wants."""

    NOW = auto()
    """Asked for after the sweep began: a person or a change has started it."""
    UNSEEN = auto()
    """Newer than the last one that the sweep took: it runs by schedule."""
    RECENT = auto()
    """Also the one that it took last: a task that changed nothing has started it."""


@dataclass(frozen=True)
class Reading:
    """The changes that the framework lists since an instant.

    Attributes:
        since: that instant, in epoch seconds of the framework's clock.
        began: when the framework was first asked, on the ledger's clock.
        ended: when the answer was there.
        requests: the service requests; ``None`` where the framework can't list changes.
        executions: in any state; ``None`` where the framework can't list changes.
        mark: an instant that the framework's clock had reached when it was asked; ``None`` where nothing tells one.
        taken: whether another sweep has asked for it.
    """

    since: float
    began: float
    ended: float
    requests: Sequence[Row] | None
    executions: Sequence[Row] | None
    mark: float | None = None
    taken: bool = False

    @property
    def rows(self) -> Sequence[Row]:
        """What says a change: requests and executions."""
        return [*(self.requests or ()), *(self.executions or ())]


class SharedChanges:
    """Gives a sweep the changes since its last run, from the ledger or from the framework.

    Args:
        framework: where the changes are. Its option ``shared_for`` says for how many seconds a reading may be taken by
            other sweeps; with 0, each sweep asks by itself.
        ledger: where readings are kept.
        sweep: the name of the sweep, such as ``lims/results``.
    """

    def __init__(self, framework: FrameworkClient, ledger: Ledger, sweep: str) -> None:
        self._framework = framework
        self._ledger = ledger
        self._seen = f"{SEEN}/{sweep}"
        self._shared_for = float(framework.options["shared_for"])
        self._address = comparable(framework.config.base_url)
        self._token = uuid.uuid4().hex

    async def read(
        self, since: float, wanted: Wanted, place: Place | None = None, *, executions: bool = True
    ) -> Reading:
        """Return the changes since an instant, or since an earlier one.

        Args:
            since: in epoch seconds of the framework's clock.
            wanted: how new the reading has to be.
            place: how far the sweep came before.
            executions: whether the sweep needs them, too.
        """
        if not self._shared_for or not offers(self._framework, REQUESTS):
            return await self.ask(since, place, executions=executions)
        after = await self._after(wanted)
        while (taken := await asyncio.to_thread(self._take, since, after)) is None:
            if await asyncio.to_thread(self._acquire):
                return await self._in_turn(since, after, place)
            await asyncio.sleep(POLL_SECONDS)
        return taken

    async def _in_turn(self, since: float, after: float, place: Place | None) -> Reading:
        """Ask the framework for all sweeps, unless the one before has just done so; then let the next one."""
        try:
            taken = await asyncio.to_thread(self._take, since, after)
            if taken is not None:
                return taken
            kept = await asyncio.to_thread(self._kept)
            reading = await self.ask(_earliest(since, kept), place)
            await asyncio.to_thread(self._publish, reading)
        finally:
            await asyncio.to_thread(self._release)
        return reading

    async def ask(self, since: float, place: Place | None = None, *, executions: bool = True) -> Reading:
        """Ask the framework, whatever is kept, and keep nothing; the arguments are those of :meth:`read`."""
        began = await asyncio.to_thread(self._ledger.now)
        requests = await changed_since(self._framework, REQUESTS, since)
        ran = await changed_since(self._framework, EXECUTIONS, since) if executions else None
        ended = await asyncio.to_thread(self._ledger.now)
        reading = Reading(since, began, ended, requests, ran)
        after = Place.after(place, reading.rows, began, ended)
        return replace(reading, mark=after.mark if after else None)

    async def last(self) -> Reading:
        """Return the reading that is kept, however old and from whatever instant on; without one, an empty reading."""
        return _reading_of(await asyncio.to_thread(self._kept))

    def note(self, began: float) -> None:
        """Remember when the framework was asked for what the sweep has taken care of, so that only newer is unseen."""
        if self._shared_for:
            self._ledger.update(self._seen, lambda seen: max(seen, began), 0.0)

    async def _after(self, wanted: Wanted) -> float:
        """Return the moment after which the framework has to have been asked."""
        now = await asyncio.to_thread(self._ledger.now)
        if wanted is Wanted.NOW:
            return now
        seen = await asyncio.to_thread(self._ledger.state, self._seen, 0.0) if wanted is Wanted.UNSEEN else 0.0
        return max(seen, now - self._shared_for)

    def _take(self, since: float, after: float) -> Reading | None:
        """Return the reading that is kept, where it is new enough and begins early enough."""
        kept = self._kept()
        # A time in the future is from before the ledger's clock was set back.
        if kept["since"] <= since and after < kept["began"] <= self._ledger.now():
            return _reading_of(kept)
        return None

    def _kept(self) -> Kept:
        kept: Kept = self._ledger.state(READING, {})
        return kept if kept.get("address") == self._address else _NO_READING

    def _acquire(self) -> bool:
        """Say whether it is this sweep that asks; another one that does so may have been killed."""
        now = self._ledger.now()
        mine = {"by": self._token, "until": now + LEASE_SECONDS}

        def taken(held: Kept) -> Kept:
            # Another sweep may have looked at the clock a little later; a far later end is from before it was set back.
            return held if now < held["until"] <= now + 2 * LEASE_SECONDS else mine

        return bool(self._ledger.update(LEASE, taken, _FREE)["by"] == self._token)

    def _release(self) -> None:
        self._ledger.update(LEASE, lambda held: _FREE if held["by"] == self._token else held, _FREE)

    def _publish(self, reading: Reading) -> None:
        if reading.requests is None or len(reading.rows) > MOST_ROWS:
            return
        executions = reading.executions
        mine: Kept = {
            "address": self._address,
            "since": reading.since,
            "began": reading.began,
            "ended": reading.ended,
            "mark": reading.mark,
            "requests": _parts(reading.requests, _REQUEST),
            "executions": None if executions is None else _parts(executions, _EXECUTION),
        }
        self._ledger.update(READING, lambda kept: kept if _is_newer(kept, mine) else mine, _NO_READING)


_FREE: Kept = {"by": "", "until": 0.0}
_NO_READING: Kept = {"since": math.inf, "began": 0.0, "ended": 0.0, "mark": None, "requests": [], "executions": []}


def _reading_of(kept: Kept) -> Reading:
    return Reading(
        kept["since"], kept["began"], kept["ended"], kept["requests"], kept["executions"], kept["mark"], taken=True
    )


def _earliest(since: float, kept: Kept) -> float:
    """Return the instant to ask from, so that sweeps that are behind this one can take the answer, too.

    With more than a few rows each sweep that has read them moves on, and so does the next reading.
    """
    return since if len(_reading_of(kept).rows) >= FEW else min(since, kept["since"])


def _is_newer(kept: Kept, other: Kept) -> bool:
    return bool(kept.get("address") == other["address"] and kept["began"] > other["began"])


def _parts(rows: Iterable[Row], names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return of rows what sweeps need."""
    return [{name: row[name] for name in names if name in row} for row in rows]
