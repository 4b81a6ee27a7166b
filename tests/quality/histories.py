"""Histories of a laboratory that never was, made at random from a seed, with and without a planted rise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random

from pv_testing.quality.history import CountedExecution, History

FIRST_DAY = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
MODELS = tuple(f"Maker {letter} M{number}" for letter in "ABCD" for number in (1, 2))


@dataclass(frozen=True)
class Rise:
    """What is planted.

    Attributes:
        protocol: which protocol's failures rise.
        day: from which day on, counted from the first.
        rate: the share that fails from then on.
    """

    protocol: str
    day: int
    rate: float


@dataclass(frozen=True)
class Laboratory:
    """A laboratory by numbers.

    Attributes:
        protocols: how many it runs.
        a_month: modules a protocol in an ordinary month.
        rates: the lowest and the highest share of failures; the protocols' are spread evenly between them.
        busy: how much busier a busy month is.
        busy_share: which share of the months is busy.
        retests: which share of failed modules is tested again within a few days.
        days: the length of the history.
    """

    protocols: int = 20
    a_month: float = 40.0
    rates: tuple[float, float] = (0.02, 0.08)
    busy: float = 2.5
    busy_share: float = 0.2
    retests: float = 0.3
    days: int = 730

    def rate(self, number: int) -> float:
        """Return the usual share of failures of a protocol."""
        low, high = self.rates
        return low + (high - low) * number / max(1, self.protocols - 1)

    def history(self, seed: int, rise: Rise | None = None) -> History:
        """Make a history.

        Args:
            seed: of all random numbers.
            rise: what is planted, if anything.
        """
        return History(self._trials(Random(f"{seed}"), rise))

    def _trials(self, random: Random, rise: Rise | None) -> Iterator[CountedExecution]:
        months = [self.busy if random.random() < self.busy_share else 1.0 for _ in range(self.days // 30 + 1)]
        serial = 0
        for day in range(self.days):
            for number in range(self.protocols):
                protocol = f"PVTP-{number + 1:03}"
                risen = rise is not None and protocol == rise.protocol and day >= rise.day
                rate = rise.rate if rise and risen else self.rate(number)
                for _ in range(_poisson(random, self.a_month / 30 * months[day // 30])):
                    serial += 1
                    yield from self._tested(random, protocol, serial, day, rate)

    def _tested(self, random: Random, protocol: str, serial: int, day: int, rate: float) -> Iterator[CountedExecution]:
        at = FIRST_DAY + timedelta(days=day, minutes=random.randrange(-600, 600))
        model, bench = random.choice(MODELS), f"BENCH-{random.randrange(4)}"
        failed = random.random() < rate
        yield CountedExecution(str(serial), protocol, f"M{serial}", "SR", at, failed, model, (bench,))
        if failed and random.random() < self.retests:
            again = at + timedelta(days=random.randrange(1, 6))
            yield CountedExecution(
                f"{serial}R", protocol, f"M{serial}", "SR", again, random.random() < 0.7, model, (bench,)
            )


def _poisson(random: Random, mean: float) -> int:
    limit, number, product = math.exp(-mean), 0, random.random()
    while product > limit:
        number += 1
        product *= random.random()
    return number
