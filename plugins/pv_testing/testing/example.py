"""The parts of a trial's records: their common setting, and an example for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pv_testing.contracts.model import Contract
from pv_testing.core import keys
from pv_testing.core.records import Record

Data = dict[str, Any]
FAR = 900_000_000
TAIL = 6
OTHER = str.maketrans("0123456789abcdefABCDEF", "9876543210fedcbaFEDCBA")
CHANGED = "changed"
"""A site's fields under this name change the next version of a record, in the place of the example's change."""


@dataclass
class Setting:
    """The common setting of the records of one trial.

    Attributes:
        mark: stands in every record, so that a person finds them.
        contract: under trial.
        given: values of a site that lie over the examples, by kind, such as ``{"time_entry": {"user": "…"}}``.
        ids: of the created records, by kind.
        reached: the kinds of states that were set.
    """

    mark: str
    contract: Contract
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    def number(self, place: int) -> str:
        """Return a number as text that no other trial uses, such as for an execution."""
        return f"{int(self.mark[-8:], 16)}{place:03}"

    def name(self, place: int) -> str:
        """Return the name of the record at a place."""
        return f"{self.mark}-{place:03}"

    def first(self, kind: str) -> str:
        """Return the id of the first record of a kind, under which others are created."""
        return self.ids[kind][0]

    def last(self, kind: str) -> str:
        """Return the id of the last record of a kind, whose state is changed."""
        return self.ids[kind][-1]

    def words(self, vocabulary: str) -> list[str]:
        """Return our words of a vocabulary, in its order; none where the contract doesn't have it."""
        known = self.contract.vocabularies
        return list(known[vocabulary].to_external) if vocabulary in known else []

    def lacks(self, kinds: Sequence[str]) -> list[str]:
        """Return those of some kinds of which nothing is there."""
        return [kind for kind in kinds if not self.ids.get(kind) and kind not in self.reached]


@dataclass(frozen=True)
class Example:
    """How to make records of one kind.

    Attributes:
        make: the record at a place; of a state, the place of its word in ``states``.
        key: the fields of its business key.
        change: makes the data of its next version.
        needs: the kinds that must be there before.
        listing: the operation that lists such records.
        row: the fields that make up the business key in a row of that listing, in our words.
        shared: criteria of the listing that all records of a trial meet, and our field for each.
        states: the words of a state in their order, where the record is the state of another one.
        remake: makes the record anew from its fields, where some follow from others.
        before: makes the record that must be sent first, such as a module's receipt before its return.
    """

    make: Callable[[Setting, int], Data]
    key: tuple[str, ...]
    change: Callable[[Data], Data] = dict
    needs: tuple[str, ...] = ()
    listing: str = ""
    row: tuple[str, ...] = ("external_id",)
    shared: Mapping[str, str] = field(default_factory=dict)
    states: Callable[[Setting], Sequence[str]] | None = None
    remake: Callable[[Data], Data] = dict
    before: Callable[[Data], Data | None] = lambda _: None

    def record(self, setting: Setting, kind: str, place: int, *, changed: bool = False) -> Record:
        """Return the record at a place, or its next version."""
        given = dict(setting.given.get(kind, {}))
        other = given.pop(CHANGED, None)
        data = {**self.make(setting, place), **given}
        if changed:
            data = self.change(data) if other is None else {**data, **other}
        return self.of(data)

    def of(self, data: Data) -> Record:
        """Return data as a record under its business key."""
        data = self.remake(data)
        parts = [str(data[name]) for name in self.key]
        return Record(parts[0] if len(parts) == 1 else keys.compose(*parts), data)


def absent(external_id: str) -> str:
    """Return an id of the same shape that surely isn't there.

    Args:
        external_id: one that is.
    """
    if external_id.isdigit():
        return str(int(external_id) + FAR)
    head, tail = external_id[:-TAIL], external_id[-TAIL:]
    other = tail.translate(OTHER)
    return head + other if other != tail else f"{external_id}-000"
