"""What a claim, a settlement and an unchanged record cost, with a thousand and with a million records in the ledger.

Run it with ``python -m tests.bench.ledger``; ``--rows`` chooses other sizes.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pv_testing.core.records import Result
from pv_testing.ledger import Claim, Claimed, Ledger, Settlement

BATCH = 500
BATCHES = 20
MODULES = 25
FILL = 5_000
YEARS = 30
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Speed:
    """Records a second, the median over batches, with a number of records in the ledger.

    Attributes:
        rows: how many records the ledger held before.
        claims: claims of new records.
        settles: settlements with their audit events.
        unchanged: claims of records that are in effect already.
        verified: audit records that are verified.
    """

    rows: int
    claims: float
    settles: float
    unchanged: float
    verified: float

    @property
    def carried(self) -> float:
        """Records a second that are claimed and settled."""
        return 1 / (1 / self.claims + 1 / self.settles)


def keys(number: int, chance: random.Random, *, scattered: bool) -> list[str]:
    """Return new keys such as ``SR-2025-0123/AST2025M400001``.

    Args:
        number: how many.
        chance: where the randomness comes from.
        scattered: each key of a service request of its own, instead of whole requests in random order.
    """
    requests = [f"SR-{2000 + year}-{serial:04d}" for year in range(YEARS) for serial in range(1, 10_000)]
    chance.shuffle(requests)
    modules = [f"AST{chance.randrange(2000, 2030)}M{400_000 + index:06d}" for index in range(MODULES)]
    every = (f"{request}/{module}" for request in requests for module in modules)
    if not scattered:
        return [key for key, _ in zip(every, range(number), strict=False)]
    chosen = [f"{chance.choice(requests)}/{modules[0][:7]}M{index:06d}" for index in range(number)]
    chance.shuffle(chosen)
    return chosen


def measure(urls: Sequence[str], sizes: Sequence[int], *, scattered: bool, batches: int = BATCHES) -> list[Speed]:
    """Fill ledgers of several sizes and measure them in turns, so that a busy machine slows all of them.

    Args:
        urls: of empty databases.
        sizes: how many records to put into each.
        scattered: see :func:`keys`.
        batches: how many batches of 500 to measure.
    """
    trials = [ClaimTrial(url, rows, batches, scattered=scattered) for url, rows in zip(urls, sizes, strict=True)]
    for _ in range(batches):
        for trial in trials:
            trial.one_batch()
    return [trial.close() for trial in trials]


class ClaimTrial:
    """One filled ledger that is measured batch by batch."""

    def __init__(self, url: str, rows: int, batches: int, *, scattered: bool) -> None:
        supply = keys(rows + batches * BATCH, random.Random(7), scattered=scattered)
        self._known, self._new = supply[:rows], _parts(supply[rows:], BATCH)
        self._chance, self._scattered = random.Random(8), scattered
        self._carried: list[tuple[float, float]] = []
        self._unchanged: list[float] = []
        self._ledger = Ledger(url)
        for part in _parts(self._known, FILL):
            self._carry(part)

    def one_batch(self) -> None:
        """Claim and settle a batch of new records, then claim one of unchanged records."""
        self._carried.append(self._carry(next(self._new)))
        part = self._some()
        self._unchanged.append(_rate(part, lambda: _claim(self._ledger, part)))

    def close(self) -> Speed:
        """Verify the audit trail, close the ledger and return what was measured."""
        claims, settles = map(_median, zip(*self._carried, strict=True))
        started = time.perf_counter()
        verified = self._ledger.verify().count / (time.perf_counter() - started)
        self._ledger.close()
        return Speed(len(self._known), claims, settles, _median(self._unchanged), verified)

    def _some(self) -> Sequence[str]:
        if self._scattered:
            return self._chance.sample(self._known, BATCH)
        start = self._chance.randrange(len(self._known) - BATCH + 1)
        return self._known[start : start + BATCH]

    def _carry(self, part: Sequence[str]) -> tuple[float, float]:
        claimed: list[Claimed] = []
        claims = _rate(part, lambda: claimed.extend(_claim(self._ledger, part)))
        settlements = [Settlement(one, Result.CREATED, f"LIM-{next(_NUMBERS):08d}") for one in claimed]
        return claims, _rate(part, lambda: self._ledger.settle(settlements, owner="bench"))


def _claim(ledger: Ledger, part: Sequence[str]) -> list[Claimed]:
    items = [Claim(key, _fingerprint(key)) for key in part]
    return ledger.claim("lims", "sample", items, owner="bench", lease=300)


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _rate(part: Sequence[str], work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return len(part) / (time.perf_counter() - started)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def main() -> None:
    """Measure a small and a large ledger of both kinds and print the costs side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs=2, default=(1_000, 1_000_000), metavar=("SMALL", "LARGE"))
    arguments = parser.parse_args()
    print(f"{'':34}{'claims/s':>10}{'settles/s':>11}{'both/s':>9}{'unchanged/s':>13}{'verified/s':>12}")
    for scattered in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            urls = [f"sqlite:///{Path(folder) / f'{rows}.sqlite'}" for rows in arguments.rows]
            small, large = measure(urls, arguments.rows, scattered=scattered)
        kind = "scattered keys" if scattered else "whole requests"
        for speed in (small, large):
            print(
                f"{kind}, {speed.rows:>9,} rows{speed.claims:>17,.0f}{speed.settles:>11,.0f}"
                f"{speed.carried:>9,.0f}{speed.unchanged:>13,.0f}{speed.verified:>12,.0f}"
            )
        print(
            f"{'cost a record, large by small':34}{small.claims / large.claims:>10.2f}"
            f"{small.settles / large.settles:>11.2f}{small.carried / large.carried:>9.2f}"
            f"{small.unchanged / large.unchanged:>13.2f}{small.verified / large.verified:>12.2f}"
        )


if __name__ == "__main__":
    main()
