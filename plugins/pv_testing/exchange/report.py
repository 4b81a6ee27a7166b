"""What became of the records of an exchange, for the task log and for the next step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable
from operator import attrgetter

from pv_testing.core.errors import ExchangeIncomplete, IntegrationError
from pv_testing.core.keys import split
from pv_testing.core.records import Outcome, Result
from pv_testing.core.visible import visible
from pv_testing.ledger.storable import clean

SHOWN = 50


class Report:
    """The outcomes of one exchange.

    Args:
        operation: the operation's name.
        system: the system that it spoke to.
        provider: the product behind the system.
        dry_run: whether the outcomes are only what would happen.

    Attributes:
        outcomes: one for each record, in no promised order.
        notes: remarks on the records before the exchange, such as serial numbers that are still to come.
        error: what stopped the exchange before its end, if anything did.
    """

    def __init__(self, operation: str, system: str, provider: str = "", *, dry_run: bool = False) -> None:
        self.operation = operation
        self.system = system
        self.provider = provider
        self.dry_run = dry_run
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.error: IntegrationError | None = None
        self._counts: Counter[Result] = Counter()
        self._started = time.monotonic()
        self._ended: float | None = None

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what became of some records."""
        for outcome in outcomes:
            self.outcomes.append(outcome)
            self._counts[outcome.result] += 1

    def replace(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what became of some records, in place of earlier outcomes of the same ones."""
        new = {outcome.key: outcome for outcome in outcomes}
        kept = [outcome for outcome in self.outcomes if outcome.key not in new]
        self.outcomes, self._counts = [], Counter()
        self.add([*kept, *new.values()])

    def continue_with(self, later: Report, again: Collection[str] = ()) -> None:
        """Take in what became of records that were carried once more; one that is unchanged keeps its outcome.

        Args:
            later: the report of that.
            again: what the keys begin with of all records that it speaks of. Of those that were not in effect and that
                it doesn't have, nothing is left to do.
        """
        in_effect = self.external_ids().keys()
        self.outcomes = [each for each in self.outcomes if each.key in in_effect or split(each.key)[0] not in again]
        changed = [each for each in later.outcomes if each.result is not Result.UNCHANGED or each.key not in in_effect]
        self.replace(changed)
        self.notes += [note for note in later.notes if note not in self.notes]
        self.error = later.error or self.error
        self._ended = later._ended

    def close(self) -> None:
        """Stop the clock."""
        self._ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the exchange took, or has taken so far."""
        return (self._ended or time.monotonic()) - self._started

    def counts(self) -> dict[str, int]:
        """How many records came to each result; every result is named."""
        return {result.value: self._counts[result] for result in Result}

    def total(self) -> int:
        """How many records the exchange had."""
        return len(self.outcomes)

    def external_ids(self) -> dict[str, str]:
        """The system's id of each record that is in effect, by business key."""
        return {outcome.key: outcome.external_id for outcome in self.outcomes if outcome.result.in_effect}

    def not_in_effect(self) -> list[Outcome]:
        """The records that wait for a person or for another attempt, by key."""
        rest = [outcome for outcome in self.outcomes if not outcome.result.in_effect]
        return sorted(rest, key=attrgetter("key"))

    def table(self) -> str:
        """The closing table of the task log: counts first, then each record that is not in effect and why."""
        where = f"{self.system} ({self.provider})" if self.provider else self.system
        lines = [f"{self.operation} on {where}: {self.total():,} records in {self.seconds:.1f} s"]
        if self.dry_run:
            lines[0] += "; nothing was changed, this is what would happen"
        lines += [f"  {name:<12}{number:>8,}" for name, number in self.counts().items() if number]
        lines += [f"  note: {visible(note)}" for note in self.notes]
        rest = self.not_in_effect()
        if rest:
            lines.append("  not in effect:")
        for outcome in rest[:SHOWN]:
            row = f"{clean(outcome.key)}  {outcome.result.value}  {outcome.code}: {outcome.reason}"
            lines.append(f"    {visible(row)}")
        if len(rest) > SHOWN:
            lines.append(f"    … and {len(rest) - SHOWN:,} more; `python -m pv_testing waiting` lists them all")
        return "\n".join(lines)

    def raise_for_waiting(self) -> None:
        """Fail visibly when the exchange stopped early or a record is not in effect.

        Raises:
            IntegrationError: what stopped the exchange.
            ExchangeIncomplete: the exchange reached its end, but not every record is in effect.
        """
        if self.error is not None:
            raise self.error
        if self.dry_run:
            return
        deferred = self._counts[Result.DEFERRED]
        waiting = self._counts[Result.REJECTED] + self._counts[Result.QUARANTINED]
        if waiting or deferred:
            first = self.not_in_effect()[0]
            done = self.total() - waiting - deferred
            message = (
                f"{done:,} of {self.total():,} records are in effect; {waiting:,} wait for a person, "
                f"{deferred:,} for another attempt; the first is {clean(first.key)}: {first.reason}"
            )
            raise ExchangeIncomplete(
                message,
                system=self.system,
                provider=self.provider,
                operation=self.operation,
                waiting=waiting,
                deferred=deferred,
            )
