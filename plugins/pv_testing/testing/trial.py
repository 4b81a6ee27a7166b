"""One operation of a contract on trial: makes, sends and looks up marked records, and makes the findings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pv_testing.contracts.model import Find, OperationSpec
from pv_testing.core import clock
from pv_testing.core.errors import DataError, IntegrationError, NotFound
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Found, Prepared, Record
from pv_testing.exchange.operation import Operation
from pv_testing.providers.by_files import ByFiles
from pv_testing.providers.files import FileOperation
from pv_testing.providers.rest import RestProvider
from pv_testing.testing.blame import blamed
from pv_testing.testing.delivering import delivered
from pv_testing.testing.example import Example, Setting
from pv_testing.testing.finding import TrialEvidence, TrialFinding, TrialVerdict
from pv_testing.testing.recorder import Recorder

Findings = AsyncIterator[TrialFinding]
INSTEAD = 40
"""How far from its place the record stands that is created instead of a lost one."""
OF_FILES = {
    "find": "files.answers",
    "find.in_effect": "files.answers",
    "bulk": "files.size",
    "bulk.id": "files.answers",
}
"""The part of an operation by files that stands for one of a request."""
FIRST, LONGEST = 0.02, 0.25
"""Seconds between two look-ups for something that isn't there yet: at first, and at the most."""


@dataclass
class Waits:
    """The times until look-ups found created records.

    Attributes:
        longest: seconds, the longest of all.
        where: the operation whose record that was.
        shown: the last look-up that didn't find it yet.
        searched: whether any of them was searched by its key; a record that is read by its id shows at once, also where
            the system's index is late.
        never: the operations with a record that no look-up found.
    """

    longest: float = 0.0
    where: str = ""
    shown: Sequence[TrialEvidence] = ()
    searched: bool = False
    never: list[str] = field(default_factory=list)

    def add(self, seconds: float, where: str, shown: Sequence[TrialEvidence], *, searched: bool) -> None:
        """Take one measurement."""
        self.searched = self.searched or searched
        if not self.where or seconds > self.longest:
            self.longest, self.where, self.shown = seconds, where, shown


@dataclass
class ContractTrial:
    """One operation on trial.

    Attributes:
        provider: speaks with the system.
        spec: the operation.
        example: makes its records.
        setting: of the trial's records.
        recorder: has the requests and answers.
        waits: takes the times until look-ups found the records.
        patience: seconds after which a record that a look-up doesn't find is given up.
        made: the records that were created, with their ids.
        places: where another record stands in the place of one that was lost.
        notes: the further effects of the system, each once.
        broken: the request whose answer was lost, where that has ended a check.
        missed: the last look-up without the record that :meth:`until` waits for.
        sent: ``clock.seconds()`` before the newest request that wrote; its effect can't have shown before.
    """

    provider: RestProvider
    spec: OperationSpec
    example: Example
    setting: Setting
    recorder: Recorder
    waits: Waits
    patience: float
    made: dict[str, Prepared] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    broken: Sequence[TrialEvidence] = ()
    missed: Sequence[TrialEvidence] = ()
    sent: float = 0.0

    def __post_init__(self) -> None:
        self.operation = self.provider.operation(self.spec.name)

    @property
    def place(self) -> str:
        """The operation's key in the contract."""
        return f"operations.{self.spec.name}"

    @property
    def find(self) -> Find | None:
        """How its records are looked up by a request or in a list."""
        return self.spec.find

    @property
    def is_looked_up(self) -> bool:
        """Whether its records can be looked up; where files carry them, their answers tell of them."""
        return self.spec.find is not None or self.spec.files is not None

    @property
    def together(self) -> int:
        """The most records that one request or file carries; 0 where each goes by itself."""
        if self.spec.files is not None:
            return self.spec.files.size
        return self.spec.bulk.size if self.spec.bulk else 0

    @property
    def in_one(self) -> str:
        """How several records go together, in words."""
        return "in one file" if self.spec.files is not None else "in one request"

    def without_waiting(self) -> Operation:
        """Return the operation as one that doesn't wait for the answer to a file, because that is withheld."""
        if self.spec.files is None or not isinstance(self.provider, ByFiles):
            return self.operation
        spec = replace(self.spec, files=replace(self.spec.files, wait=0.0))
        return FileOperation(self.provider.contract, spec, self.provider.store, self.provider.ledger)

    def record(self, place: int, *, changed: bool = False) -> Record:
        """Return the record at a place."""
        return self.example.record(self.setting, self.spec.kind, self.places.get(place, place), changed=changed)

    def of_parent(self, number: int, place: int) -> Record | None:
        """Return the record at a place for another parent than the last; ``None`` where there aren't as many.

        Args:
            number: 1 for the parent before the last, and so on.
            place: of the record.
        """
        parent = self.example.needs[-1]
        ids = self.setting.ids[parent]
        if number >= len(ids):
            return None
        setting = replace(self.setting, ids={**self.setting.ids, parent: [ids[-1 - number]]})
        return self.example.record(setting, self.spec.kind, place)

    def prepared(self, record: Record) -> Prepared:
        """Return a record, mapped.

        Raises:
            MappingError: the contract's map can't carry it.
        """
        payload = self.operation.prepare(record)
        return Prepared(record.key, payload, fingerprint(payload), data=record.data)

    def at(self, place: int) -> Prepared:
        """Return the record at a place, mapped."""
        return self.prepared(self.record(place))

    async def create(self, places: Sequence[int]) -> list[Prepared]:
        """Create the records at some places, in one request where the contract can, and return them with their ids.

        Raises:
            IntegrationError: as of :func:`delivered`.
        """
        place_of = {self.record(place).key: place for place in places}

        def anew(item: Prepared) -> Prepared:
            place = place_of[item.key]
            self.places[place] = self.places.get(place, place) + INSTEAD
            fresh = self.at(place)
            place_of[fresh.key] = place
            return fresh

        return await delivered(self, [self.at(place) for place in places], anew)

    async def send(self, items: Sequence[Prepared]) -> None:
        """Send records in one request where the contract can, and keep the ids of those that took effect.

        Raises:
            IntegrationError: as of :func:`delivered`.
        """
        await delivered(self, items)

    def note(self, message: str) -> None:
        """Note an effect once that the system had besides and its contract allows for."""
        if message not in self.notes:
            self.notes.append(message)

    def keep(self, item: Prepared) -> None:
        """Remember a record that was created, for its children and for cleaning up; a state goes with its record."""
        self.made[item.key] = item
        if item.external_id and self.example.states is None:
            self.setting.ids.setdefault(self.spec.kind, []).append(item.external_id)

    async def look_up(self, items: Sequence[Prepared]) -> Mapping[str, Found]:
        """Return the result of a look-up; a single record that the system refuses as unknown is missing in it."""
        try:
            return await self.operation.find(items) or {}
        except NotFound:
            return {}

    async def until(self, item: Prepared, wanted: Callable[[Found], bool]) -> tuple[Found | None, float]:
        """Look a record up until it is as wanted.

        Returns:
            The last result, and the seconds between the request and the look-up before it; 0 where the first
            look-up found it.
        """
        pause, waited, self.missed = FIRST, 0.0, ()
        while True:
            match = (await self.look_up([item])).get(item.key)
            if (match is not None and wanted(match)) or waited > self.patience:
                return match, waited
            self.missed = self.recorder.last()
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, LONGEST)
            waited = clock.seconds() - self.sent

    def measured(self, waited: float) -> None:
        """Keep the time until a look-up found the newest record; a state is read by the id of its record.

        Where files carry the records, nothing depends on that time.
        """
        if self.spec.files is not None:
            return
        self.waits.add(waited, self.spec.name, self.missed, searched=self.example.states is None)

    def never_found(self) -> None:
        """Keep that no look-up found the record, so that there is no time to keep."""
        self.waits.never.append(self.spec.name)

    def context(self, item: Prepared) -> dict[str, Any]:
        """Return the values that a key may take from a record besides its payload."""
        return {"id": item.external_id, "key": item.key, "revision": item.revision}

    def key_of(self, item: Prepared) -> str | None:
        """Return a record's key in the system's words."""
        return self.find.key_of_sent(item.payload, self.context(item)) if self.find else None

    def holds(self, check: str, part: str, message: str) -> TrialFinding:
        """Return that a part of the operation is right."""
        return TrialFinding(check, self._key(part), message)

    def fails(self, check: str, part: str, message: str, *shown: TrialEvidence) -> TrialFinding:
        """Return that a part of the operation is wrong; without other evidence, the newest request shows it."""
        broken, self.broken = self.broken, ()
        return TrialFinding(
            check, self._key(part), message, TrialVerdict.FAILS, shown or broken or tuple(self.recorder.last())
        )

    def noted(self, check: str) -> list[TrialFinding]:
        """Return the notes of the operation as findings."""
        return [TrialFinding(check, self.place, message, TrialVerdict.NOTED) for message in self.notes]

    def skipped(self, check: str, part: str, message: str) -> TrialFinding:
        """Return that a part of the operation can't be tried."""
        return TrialFinding(check, self._key(part), message, TrialVerdict.SKIPPED)

    def raised(self, check: str, part: str, error: Exception) -> TrialFinding:
        """Return that trying a part of the operation ended in an error; before a request, only its words show it."""
        if not isinstance(error, IntegrationError):
            return TrialFinding(check, self.place, blamed(error, type(self.provider)), TrialVerdict.FAILS)
        message = f"{error.message} [{error.code}]"
        if isinstance(error, DataError):
            return TrialFinding(check, self._key(part), message, TrialVerdict.FAILS)
        return self.fails(check, part, message)

    def _key(self, part: str) -> str:
        """Return a part's key in the contract: below the operation, unless it is a section of its own."""
        if part.startswith(("errors.", "limits.", "maps.", "vocabularies.")):
            return part
        if self.spec.files is not None:
            part = OF_FILES.get(part, part)
        return f"{self.place}.{part}" if part else self.place
