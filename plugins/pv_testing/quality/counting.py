"""How failures are counted: modules, and tests, of which a module has one a protocol however often it is repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pv_testing.quality.finding import Period, Scope, Stratum
from pv_testing.quality.history import History, Trial
from pv_testing.quality.rise import Comparison

TICK = timedelta(microseconds=1)


def within(scope: Scope, trials: Iterable[Trial]) -> list[Trial]:
    """Return the executions of a scope."""
    return [trial for trial in trials if scope.value in trial.values(scope.kind)]


def modules(trials: Iterable[Trial]) -> int:
    """Count distinct modules."""
    return len({trial.module for trial in trials})


def tests(trials: Iterable[Trial]) -> int:
    """Count tests."""
    return len({(trial.protocol_id, trial.module) for trial in trials})


def strata(kind: str, failures: Iterable[Trial]) -> list[Stratum]:
    """Return how many modules failed under each name of a kind, most first.

    Args:
        kind: ``protocol``, ``model``, ``equipment`` or ``criterion``.
        failures: failed executions.
    """
    under: dict[str, set[str]] = defaultdict(set)
    for trial in failures:
        for value in trial.values(kind):
            under[value].add(trial.module)
    rows, together = [], set[str]()
    for name, those in sorted(under.items(), key=lambda item: (-len(item[1]), item[0])):
        together |= those
        rows.append(Stratum(name, len(those), len(together)))
    return rows


class Usual(NamedTuple):
    """What is usual in the whole laboratory: how many modules each protocol has tested, and how many of them failed.

    Attributes:
        failed: by protocol.
        tested: by protocol.
    """

    failed: Mapping[str, int]
    tested: Mapping[str, int]


def usual(before: Collection[Trial]) -> Usual:
    """Count the executions of a baseline."""
    return Usual(_by_protocol(trial for trial in before if trial.failed), _by_protocol(before))


def comparisons(now: Iterable[Trial], failures: Iterable[Trial], baseline: Usual) -> list[Comparison]:
    """Compare the tests of a scope with what is usual in the whole laboratory, protocol by protocol.

    Args:
        now: the scope's executions in the window.
        failures: those of them that count as failed.
        baseline: what is usual.
    """
    parts = (_by_protocol(failures), tested := _by_protocol(now), *baseline)
    return [Comparison(*(part.get(protocol, 0) for part in parts)) for protocol in sorted(tested)]


def periods(scope: Scope, history: History, at: datetime, *, days: int, back: int) -> Sequence[Period]:
    """Return the points of a control chart, oldest first; the last one ends now.

    Args:
        scope: whose tests.
        history: what was tested.
        at: the moment of the run.
        days: the length of a period.
        back: how many periods before the last one.
    """
    points = []
    for number in range(back, -1, -1):
        end = at - timedelta(days=days * number)
        trials = within(scope, history.between(end - timedelta(days=days) + TICK, end + TICK))
        failed = tests(trial for trial in trials if trial.failed)
        points.append(Period(end.date().isoformat(), failed, tests(trials)))
    return points


def _by_protocol(trials: Iterable[Trial]) -> dict[str, int]:
    found: dict[str, set[str]] = defaultdict(set)
    for trial in trials:
        found[trial.protocol_id].add(trial.module)
    return {protocol: len(those) for protocol, those in found.items()}
