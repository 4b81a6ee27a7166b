"""Which service requests a run of a sweep reads: those that wait, those that have changed, and each one once a day.

An idle sweep needs the changes and nothing else, however many requests are open, and takes them from a reading that
all sweeps share. That rests on the framework's word that something has changed. Therefore the listings begin a little
before the last ones, all open requests are listed once a day, and each is read once a day. Where the framework can't
list what has changed, the open requests are listed at every run; where it can't list which executions have, each
request is read, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from pv_testing.config.digest import rules_digest
from pv_testing.core import metrics
from pv_testing.core.errors import ConfigError
from pv_testing.core.sync import run
from pv_testing.core.visible import visible
from pv_testing.domain.reading import text
from pv_testing.integrations.framework import FrameworkClient
from pv_testing.ledger import Ledger
from pv_testing.workflow.changes import (
    FEW,
    REQUESTS,
    Place,
    Row,
    has_turned,
    request_of,
    size_of,
    stamp_of,
)
from pv_testing.workflow.execution_checkpoint import finished_number, has_changed
from pv_testing.workflow.shared_changes import Reading, SharedChanges, Wanted
from pv_testing.workflow.sweep_backlog import CLOSED, DAY, Kept, SweepBacklog, is_finished

log = logging.getLogger(__name__)


@dataclass
class _Look:
    """The result of one look into the framework.

    Attributes:
        began: when it began, on the ledger's clock.
        ended: when it had ended.
        place: how far it came; ``None`` where the framework says no times of change.
        planned: whether all requests in the sweep's states were to be listed.
        whole: whether they were, perhaps because what has changed can't be listed.
        rows: of service requests, by number.
        executions: those that have changed; ``None`` where that can't be listed.
        listed: how many rows say a change, also those that don't matter to the sweep.
        taken: whether another sweep has asked the framework.
    """

    began: float
    ended: float = 0.0
    place: Place | None = None
    planned: bool = True
    whole: bool = True
    rows: dict[str, Row] = field(default_factory=dict)
    executions: list[Row] | None = field(default_factory=list)
    listed: int = 0
    taken: bool = False

    def is_new(self, row: Row, at: float, overlap: float) -> bool:
        """Say whether a row may have changed since a moment of the ledger's clock."""
        stamp = stamp_of(row)
        return self.place is None or stamp is None or stamp > self.place.reached(at) - overlap

    def stamps(self, read: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Return when requests were changed last: as listed when they were read, and as listed now."""
        stamps: dict[str, tuple[float, float]] = {}
        for number, row in self.rows.items():
            stamp = stamp_of(row)
            if number in read and stamp is not None:
                stamps[number] = (read[number][1], stamp)
        return stamps


class Sweep:
    """Finds the service requests for a run of a sweep.

    Args:
        framework: where they are. Its options say by how many seconds a listing begins before the last one
            (``overlap``), and after how many hours each request is read again (``reread_hours``).
        ledger: what is remembered.
        name: of the sweep, such as ``lims/results``.
        states: those states of open requests that the sweep is about.
        days: for how many days after its creation a closed request is looked for; 0 to look for none.
        executions: the state of those executions whose changes matter, empty for all of them, ``None`` for none.
        checkpoint: where the ledger remembers which executions of a request are settled, such as ``lims/result``. With
            it, a closed request that the sweep was done with is taken again when one of these changes.
        adopts: whether the sweep begins with requests that it finds; else another step tells it of them.

    Attributes:
        sizes: how many modules the requests have that the last look has listed.
    """

    def __init__(
        self,
        framework: FrameworkClient,
        ledger: Ledger,
        name: str,
        states: Sequence[str],
        *,
        days: int = 0,
        executions: str | None = None,
        checkpoint: str = "",
        adopts: bool = True,
    ) -> None:
        self._framework = framework
        self._ledger = ledger
        self._memory = SweepBacklog(ledger, name, days)
        self._name = name
        self._states = tuple(states)
        self._days = days
        self._executions = executions
        self._checkpoint = checkpoint
        self._adopts = adopts
        self._shared = SharedChanges(framework, ledger, name)
        self._rules = rules_digest()
        self._overlap, self._period = _times(framework)
        self.sizes: dict[str, int] = {}

    def due(self, *, keep: bool = True, wanted: Wanted = Wanted.UNSEEN) -> dict[str, int]:
        """Return the ids of the requests to read, by their numbers.

        Args:
            keep: whether it is remembered which these are; a dry run keeps nothing, and asks the framework itself.
            wanted: how new the answer of the framework has to be that another sweep has asked for.
        """
        started = self._ledger.now()
        kept = self._memory.kept()
        if not (self._states or self._days or kept["begun"]):
            return {}
        look = run(self._look(kept, wanted if keep else None))
        self.sizes = {number: size_of(row) for number, row in look.rows.items()}
        new = {**self._late(kept, look), **self._new(kept, look)}
        begun = {**kept["begun"], **new}
        changed = {*new, *self._changed(kept, look, begun)}
        if keep:
            self._measure(look, changed, started)
            self._keep(kept, look, new, changed)
            self._shared.note(look.began)
        unread = changed | (begun.keys() - kept["read"].keys()) if look.executions is not None else begun.keys()
        return {number: sr_id for number, sr_id in begun.items() if number in unread}

    def _measure(self, look: _Look, numbers: Iterable[str], now: float) -> None:
        """Note how long the oldest change has waited for this run."""
        if look.whole:
            return
        changes = [stamp_of(look.rows.get(number, {})) for number in numbers]
        stamps = [stamp for stamp in changes if stamp is not None]
        if stamps:
            metrics.time("lag_seconds", max(0.0, now - min(stamps)), sweep=self._name)

    async def _look(self, kept: Kept, wanted: Wanted | None) -> _Look:
        look = _Look(await asyncio.to_thread(self._ledger.now))
        before = Place(*kept["place"]) if kept["place"] else None
        turned = has_turned(self._name, kept["whole"], look.began, DAY)
        look.planned = before is None or kept["again"] or turned or kept["rules"] != self._rules
        reading = None if before is None else await self._read(before, wanted)
        known = await self._shared.last() if before is None else None
        rows = None if reading is None or look.planned else reading.requests
        look.whole = rows is None
        look.rows = {text(row.get("sr_number")): row for row in (await self._all() if rows is None else rows)}
        look.ended = await asyncio.to_thread(self._ledger.now)
        if reading is not None:
            self._take(look, reading)
        look.place = self._place(look, None if self._is_set_back(look, kept["read"]) else before)
        if known is not None and known.mark is not None and not look.rows:
            # No row tells how far the framework's clock is, but an earlier reading does.
            look.place = Place(known.mark, known.began, known.mark)
        return look

    async def _read(self, before: Place, wanted: Wanted | None) -> Reading:
        since = before.back - self._overlap
        if wanted is None:
            return await self._shared.ask(since, before, executions=self._executions is not None)
        return await self._shared.read(since, wanted, before, executions=self._executions is not None)

    def _take(self, look: _Look, reading: Reading) -> None:
        look.began = reading.began
        look.taken = reading.taken
        look.listed = len(reading.executions or ())
        if not look.whole:
            look.ended = reading.ended
            look.listed = len(reading.rows)
        if self._executions is not None:
            look.executions = self._ran(reading)

    def _ran(self, reading: Reading) -> list[Row] | None:
        """Return the executions that have changed; ``None`` where that, or to which request they belong, isn't said."""
        if reading.executions is None:
            return None
        if not all(request_of(row) for row in reading.executions):
            log.warning("%s: executions are listed that name no service request; each request is read", self._name)
            return None
        return [row for row in reading.executions if self._executions in {"", text(row.get("status")).upper()}]

    def _place(self, look: _Look, before: Place | None) -> Place | None:
        rows = [*look.rows.values(), *(look.executions or ())]
        if any(stamp_of(row) is None for row in rows):
            log.warning("%s: rows say no time of change; each open service request is read every time", self._name)
            return None
        if before is not None and look.began <= before.at:
            # The sweep has moved on by this very reading; another one has to list each change again.
            return before
        return Place.after(before, rows, look.began, look.ended)

    async def _all(self) -> list[Row]:
        """Return all requests in the sweep's states, and closed ones that are young enough to be looked for."""
        rows: list[Row] = []
        for state in self._states:
            rows += await self._framework.alist(REQUESTS, status=state)
        if self._days:
            rows += await self._framework.alist(REQUESTS, status=CLOSED, from_date=self._oldest())
        return rows

    def _oldest(self) -> str:
        return (datetime.now(timezone.utc).date() - timedelta(days=self._days)).isoformat()

    def _new(self, kept: Kept, look: _Look) -> dict[str, int]:
        """Return the ids of requests that the sweep has something to do for and hasn't begun with."""
        if not self._adopts:
            return {}
        new: dict[str, int] = {}
        finished = kept["finished"]
        for number, entry in finished.items():
            if "open" in entry and has_turned(number, entry["at"], look.began, DAY):
                new[number] = entry["open"]
        for number, row in look.rows.items():
            begun_or_finished = number in kept["begun"] or is_finished(row, finished.get(number))
            if self._is_ours(row) and not begun_or_finished:
                new[number] = int(row["id"])
        return new

    def _late(self, kept: Kept, look: _Look) -> dict[str, int]:
        """Return the ids of requests that were finished before an execution of them has changed."""
        if not self._checkpoint:
            return {}
        begun = {str(sr_id) for sr_id in kept["begun"].values()}
        others: dict[str, list[Row]] = defaultdict(list)
        for execution in look.executions or ():
            if request_of(execution) not in begun:
                others[request_of(execution)].append(execution)
        late: dict[str, int] = {}
        for sr_id, rows in others.items():
            number = finished_number(self._ledger, self._checkpoint, sr_id)
            if number and has_changed(self._ledger, f"{self._checkpoint}/{number}", rows):
                late[number] = int(sr_id)
        if late:
            shown = visible(", ".join(sorted(late)))
            log.warning("%s: executions have changed after their requests were closed: %s", self._name, shown)
        return late

    def _is_ours(self, row: Row) -> bool:
        if self._days and row.get("status") == CLOSED:
            return (text(row.get("created_at")) or self._oldest()) >= self._oldest()
        return row.get("status") in self._states

    def _changed(self, kept: Kept, look: _Look, begun: Mapping[str, int]) -> set[str]:
        """Return the numbers of requests that have changed, or must be read without being known to have."""
        read: Mapping[str, tuple[float, float]] = kept["read"]
        reason = "the configuration or a contract has changed" if read and kept["rules"] != self._rules else ""
        if self._is_set_back(look, read):
            reason = "the framework says an earlier time of change than before"
        if reason:
            log.warning("%s: all %d service requests that it follows are read: %s", self._name, len(begun), reason)
            return set(begun)
        seen = {**kept["due"], **{number: at for number, (at, _) in read.items()}}
        changed: set[str] = set()
        for number, row in self._rows_of(look, begun):
            if number not in seen or look.is_new(row, seen[number], self._overlap):
                changed.add(number)
        for number, (was, now) in look.stamps(read).items():
            if was != now:
                changed.add(number)
        for number, (at, _) in read.items():
            if has_turned(number, at, look.began, self._period):
                changed.add(number)
        if look.whole:
            changed |= begun.keys() - look.rows.keys()
        return changed

    @staticmethod
    def _rows_of(look: _Look, begun: Mapping[str, int]) -> Iterator[tuple[str, Row]]:
        """Give the rows of requests that are begun, and of their executions, each with the request's number."""
        for number, row in look.rows.items():
            if number in begun:
                yield number, row
        numbers = {str(sr_id): number for number, sr_id in begun.items()}
        for execution in look.executions or ():
            if request_of(execution) in numbers:
                yield numbers[request_of(execution)], execution

    def _is_set_back(self, look: _Look, read: Mapping[str, tuple[float, float]]) -> bool:
        """Say whether a request was changed earlier than was listed before, as after a backup or with a clock put back.

        An answer from a copy of the database that is a little behind is none of these, nor one that is taken over: a
        request may have been read since.
        """
        if look.taken and not look.whole:
            return False
        return any(now < was - self._overlap for was, now in look.stamps(read).values())

    def _keep(self, kept: Kept, look: _Look, new: Mapping[str, int], changed: Collection[str]) -> None:
        """Remember the requests to read and how far the look came; an idle one writes nothing."""
        many = look.listed >= FEW
        if not (new or changed or many or (look.planned and (look.rows or look.place))):
            return
        facts: Kept = {"place": look.place and list(look.place), "rules": self._rules}
        if look.planned:
            # A row that moves from one page into another while they are read may be missed, but not twice in a row.
            facts |= {"whole": look.began, "again": not kept["again"] and len(look.rows) >= FEW}
        self._memory.change(lambda known: self._memory.mark(known, new, changed, look.ended, **facts))


def _times(framework: FrameworkClient) -> tuple[float, float]:
    """Return the overlap and the time after which each request is read again, in seconds."""
    overlap, hours, shared = (framework.options[name] for name in ("overlap", "reread_hours", "shared_for"))
    if overlap < 0 or hours < 1 or shared < 0:
        limits = "the options overlap and shared_for must be at least 0 seconds, and reread_hours at least 1"
        raise ConfigError(f"{framework.config.where or 'framework'}: {limits}", system="framework", code="OPTION_WRONG")
    return float(overlap), hours * 3600.0
