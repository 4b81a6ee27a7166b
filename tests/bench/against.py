"""This tree beside another commit: the same work with both in turns, so that a busy machine slows both down alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.timing import Timing

PROJECT = Path(__file__).parents[2]
WAYS = ("one by one", "in bulk of 500", "again, nothing has changed")
SLOWER = 1.05


def compare(revision: str, records: int, bulk_records: int, rounds: int) -> list[tuple[str, str, bool]]:
    """Print the cost of a record with both trees, and return whether this one is no slower by more than 5 %.

    Args:
        revision: the other commit.
        records: samples sent one by one in a round.
        bulk_records: samples sent in bulk in a round.
        rounds: how often each tree is measured; the median of the ratios of the rounds counts, as the machine's speed
            differs more from round to round than within one.
    """
    with _tree_of(revision) as other:
        measured: dict[Path, list[tuple[Timing, ...]]] = {other: [], PROJECT: []}
        for number in range(rounds):
            for tree in (other, PROJECT) if number % 2 else (PROJECT, other):
                measured[tree].append(_round(tree, records, bulk_records))
    print(f"\n{'CPU µs/record, in turns':<50}{revision[:12]:>12}{'this tree':>15}{'ratio':>9}")
    targets = []
    for place, way in enumerate(WAYS):
        before, now = ([each[place].microseconds for each in measured[tree]] for tree in (other, PROJECT))
        ratio = median(ours / theirs for theirs, ours in zip(before, now, strict=True))
        print(f"  {way:<48}{median(before):>12,.0f}{median(now):>15,.0f}{ratio:>9.2f}")
        name = f"{way}, at most {SLOWER} times the CPU time of {revision[:12]}"
        targets.append((name, f"{ratio:.3f}", ratio <= SLOWER))
    return targets


@contextmanager
def _tree_of(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _round(tree: Path, records: int, bulk_records: int) -> tuple[Timing, ...]:
    command = [sys.executable, "-W", "ignore", str(PROJECT / "tests/bench/one_round.py"), str(records)]
    paths = os.pathsep.join(map(str, (tree / "plugins", tree)))
    answer = subprocess.run(
        [*command, str(bulk_records)],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tree,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return tuple(Timing(**timing) for timing in json.loads(answer.stdout.splitlines()[-1]))
