"""What the LIMS and the ledger hold in the end: twice or missing, and whether that waits where a person sees it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sandbox
from pv_testing.ledger import Ledger

TWICE = "DUPLICATE_IN_SYSTEM"
NAMED = 3


@dataclass(frozen=True)
class Standing:
    """The records that were wanted, beside those that there are.

    Attributes:
        wanted: how many samples the LIMS should hold.
        records: how many it holds.
        twice: the keys of which it holds more than one.
        twice_visibly: those of them that wait for a person as ``DUPLICATE_IN_SYSTEM``.
        missing: how many of those wanted it doesn't hold.
        missing_visibly: how many of them wait for a person, or for a look-up.
        shared_ids: how many ids the ledger takes for those of several records.
        waiting: how many records wait, by the code under which they do.
        audit_events: of the verified audit trail.
    """

    wanted: int
    records: int
    twice: frozenset[str]
    twice_visibly: frozenset[str]
    missing: int
    missing_visibly: int
    shared_ids: int
    waiting: Counter[str]
    audit_events: int

    @property
    def twice_silently(self) -> int:
        """How many records are there more than once without waiting as such."""
        return len(self.twice - self.twice_visibly)

    @property
    def missing_silently(self) -> int:
        """How many records are not there and don't wait."""
        return self.missing - self.missing_visibly

    @property
    def holds(self) -> bool:
        """Whether each record is there exactly once or waits visibly, and no id leads to another's record."""
        return not (self.twice_silently or self.missing_silently or self.shared_ids)

    def line(self) -> str:
        """The standing for people."""
        waiting = ", ".join(f"{number} {code}" for code, number in sorted(self.waiting.items())) or "none"
        return (
            f"samples wanted {self.wanted:,}, in the LIMS {self.records:,}; "
            f"twice {self.twice_silently} silently, {len(self.twice_visibly)} visibly; "
            f"missing {self.missing_silently} silently, {self.missing_visibly} visibly; "
            f"ids of several records {self.shared_ids}; waiting: {waiting}; "
            f"audit trail verified: {self.audit_events:,} events"
            + "".join(f"; SILENTLY TWICE {key}" for key in sorted(self.twice - self.twice_visibly)[:NAMED])
        )


def standing(lab: sandbox.Lab, address: str, wanted: int) -> Standing:
    """Compare the LIMS's own database with the ledger.

    Args:
        lab: where the LIMS is.
        address: of the ledger.
        wanted: how many samples there should be.
    """
    samples = lab.samples()
    copies = Counter(f"{sample['project_id']}/{sample['external_id']}" for sample in samples)
    twice = frozenset(key for key, number in copies.items() if number > 1)
    with Ledger(address) as ledger:
        waiting = {entry.key: entry.code for entry in ledger.waiting("lims")}
        ids = Counter(entry.external_id for entry in ledger.entries("lims", "sample") if entry.external_id)
        events = ledger.verify().count
    return Standing(
        wanted=wanted,
        records=len(samples),
        twice=twice,
        twice_visibly=frozenset(key for key in twice if waiting.get(key) == TWICE),
        missing=wanted - len(copies),
        missing_visibly=len(waiting.keys() - copies.keys()),
        shared_ids=sum(number > 1 for number in ids.values()),
        waiting=Counter(waiting.values()),
        audit_events=events,
    )
