"""Whatever attempts overlap, nothing is in a system twice that the ledger holds to be in effect.

Random histories: two or three attempts at a time, each with a ledger of its own on one file; leases end at random,
answers come late or get lost, requests and look-ups fail, records are refused, replayed and changed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pv_testing.core.errors import AmbiguousOutcome, AuthenticationError, NetworkError
from pv_testing.core.fingerprint import fingerprint
from pv_testing.core.records import Found, Prepared, Record, Reply, Result, Verdict
from pv_testing.exchange import chunk
from pv_testing.exchange.engine import Exchange
from pv_testing.exchange.operation import OperationLimits
from pv_testing.ledger import Ledger, Refusal, State

KEYS = ("A", "B", "C")
FATES = ["fine"] * 6 + ["lost before", "lost after", "down", "late", "no login", "refused"]
HISTORIES = 40


@dataclass
class System:
    """Holds, by id, the key and the versions of each record; it makes a second one whenever it is asked to."""

    records: dict[str, tuple[str, list[tuple[int, str]]]] = field(default_factory=dict)

    def ids(self, key: str) -> list[str]:
        return [number for number, (owner, _) in self.records.items() if owner == key]

    def take(self, item: Prepared) -> str:
        number = item.external_id or f"R-{len(self.records) + 1}"
        self.records.setdefault(number, (item.key, []))[1].append((item.revision, item.payload["content"]))
        return number


class Operation:
    """One attempt's way to the system."""

    name, system, provider, kind = "create_sample", "lims", "System", "sample"

    def __init__(self, holds: System, limits: OperationLimits, chance: random.Random, *, can_find: bool) -> None:
        self.holds, self.limits, self.chance, self.can_find = holds, limits, chance, can_find

    def prepare(self, record: Record) -> dict[str, object]:
        return dict(record.data)

    async def pause(self) -> None:
        for _ in range(self.chance.choice([0, 0, 1, 3, 10])):
            await asyncio.sleep(self.chance.choice([0, 0.002]))

    async def send(self, batch: Sequence[Prepared]) -> list[Reply]:
        fate = self.chance.choice(FATES)
        await self.pause()
        if fate == "down":
            raise NetworkError("down")
        if fate == "no login":
            raise AuthenticationError("no")
        if fate == "refused":
            return [Reply(Verdict.REJECTED, reason="no", code="NO") for _ in batch]
        if fate == "lost before":
            raise AmbiguousOutcome("lost")
        if fate == "late":
            await asyncio.sleep(self.chance.choice([0.01, 0.03]))
        replies = [Reply(Verdict.OK, self.holds.take(item)) for item in batch]
        await self.pause()
        if fate == "lost after":
            raise AmbiguousOutcome("lost")
        return replies

    async def find(self, batch: Sequence[Prepared]) -> dict[str, Found] | None:
        if not self.can_find:
            return None
        await self.pause()
        if self.chance.random() < 0.1:
            raise NetworkError("down")
        return {item.key: self.found(item) for item in batch if self.holds.ids(item.key)}

    def found(self, item: Prepared) -> Found:
        ids = self.holds.ids(item.key)
        versions = self.holds.records[ids[-1]][1]
        if self.limits.on_change == "amend":
            same = sum(1 for revision, _ in versions if revision == item.revision)
            return Found(ids[-1], in_effect=same > 0, copies=max(same, len(ids), 1))
        return Found(ids[-1], in_effect=versions[-1][1] == item.payload["content"], copies=len(ids))


class Hasty(Ledger):
    """A ledger whose leases end at random."""

    def __init__(self, url: str, chance: random.Random) -> None:
        super().__init__(url)
        self.chance = chance

    def claim(self, system, kind, items, *, owner, lease):
        return super().claim(system, kind, items, owner=owner, lease=self.chance.choice([0.0, 0.0, lease]))

    def renew(self, claimed, lease):
        super().renew(claimed, self.chance.choice([0.0, lease]))


async def attempts(ledgers: Sequence[Ledger], holds: System, limits: OperationLimits, chance, *, can_find) -> None:
    """Run two or three attempts at the same time, each with contents of its own."""

    async def attempt(number: int) -> None:
        operation = Operation(holds, limits, chance, can_find=can_find)
        wanted = [Record(key, {"content": chance.choice("ab")}) for key in KEYS]
        carry = Exchange(
            operation, ledgers[number], owner=f"attempt {number}", replay=chance.random() < 0.3, patience=0.02
        )
        report = await asyncio.wait_for(carry.arun(wanted), 60)
        assert sorted(outcome.key for outcome in report.outcomes) == sorted(KEYS)

    await asyncio.gather(*(attempt(number) for number in range(chance.randint(2, 3))))


def check(ledger: Ledger, holds: System, *, in_place: bool) -> None:
    ledger.verify()
    confirmed = {entry.key: entry for entry in ledger.entries(states=[State.CONFIRMED])}
    for key, entry in confirmed.items():
        (number,) = holds.ids(key)
        versions = holds.records[number][1]
        if in_place:
            assert entry.fingerprint == fingerprint({"content": versions[-1][1]})
        else:
            assert len({revision for revision, _ in versions}) == len(versions)


@pytest.mark.parametrize(
    ("on_change", "can_find"), [("update", True), ("amend", True), ("update", False)], ids=["update", "amend", "blind"]
)
def test_nothing_is_in_effect_twice(on_change, can_find, tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "POLL", 0.005)
    for seed in range(HISTORIES):
        chance, holds = random.Random(seed), System()
        limits = OperationLimits(
            batch_size=chance.choice([1, 2]), concurrency=2, timeout=0.5, horizon=0.01, on_change=on_change
        )
        ledgers = [Hasty(f"sqlite:///{tmp_path}/{seed}.sqlite", chance) for _ in range(3)]
        try:
            for _ in range(chance.randint(1, 3)):
                asyncio.run(attempts(ledgers, holds, limits, chance, can_find=can_find))
                check(ledgers[0], holds, in_place=on_change == "update")
        finally:
            for ledger in ledgers:
                ledger.close()


class Calm(random.Random):
    """Lets every request succeed at once."""

    def choice(self, seq):
        return seq[0]

    def random(self):
        return 1.0


@pytest.mark.parametrize("next_content", ["b", "c"])
@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize(("on_change", "known"), [("update", ""), ("amend", ""), ("amend", "R-1")])
def test_a_second_copy_of_an_earlier_version_waits_for_a_person(on_change, known, replay, next_content):
    holds, limits = System(), OperationLimits(horizon=0.0, on_change=on_change)
    operation = Operation(holds, limits, Calm(), can_find=True)
    with Ledger.in_memory() as ledger:
        for content in "ab":
            Exchange(operation, ledger).run([Record("A", {"content": content})])
        late = Prepared("A", {"content": "a"}, fingerprint({"content": "a"}), known)
        holds.take(late)
        ledger.suspect("lims", "sample", [Refusal("A", late.fingerprint, "DUPLICATE_IN_SYSTEM", "two")], owner="late")
        carry = Exchange(operation, ledger, replay=replay)
        (outcome,) = carry.run([Record("A", {"content": next_content})]).outcomes
        assert (outcome.result, outcome.code) == (Result.QUARANTINED, "DUPLICATE_IN_SYSTEM")
        assert sum(len(versions) for _, versions in holds.records.values()) == 3
        ledger.verify()
