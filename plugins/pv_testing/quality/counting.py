"""How failures are counted: modules, and tests, of which a module has one a protocol however often it is repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pv_testing.quality.finding import Period, Scope, Stratum
from pv_testing.quality.history import CountedExecution, History
from pv_testing.quality.rise import RateComparison

Trials = Iterable[CountedExecution]
TICK = timedelta(microseconds=1)


def within(scope: Scope, trials: Trials) -> list[CountedExecution]:
    """Return the executions of a scope."""
    return [trial for trial in trials if scope.value in trial.values(scope.kind)]


def modules(trials: Trials) -> int:
    """Count distinct modules."""
    return len({trial.module for trial in trials})


def tests(trials: Trials) -> int:
    """Count tests."""
    return len({(trial.protocol_id, trial.module) for trial in trials})


def strata(kind: str, failures: Trials) -> list[Stratum]:
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
    """The usual failures in the whole laboratory: the modules that each protocol has tested and failed.

    Attributes:
        failed: by protocol.
        tested: by protocol.
    """

    failed: Mapping[str, int]
    tested: Mapping[str, int]


def usual(before: Collection[CountedExecution]) -> Usual:
    """Count the executions of a baseline."""
    return Usual(_by_protocol(trial for trial in before if trial.failed), _by_protocol(before))


def comparisons(now: Trials, failures: Trials, baseline: Usual) -> list[RateComparison]:
    """Compare the tests of a scope with the usual ones of the whole laboratory, protocol by protocol.

    Args:
        now: the scope's executions in the window.
        failures: those of them that count as failed.
        baseline: what is usual.
    """
    failed, tested = _by_protocol(failures), _by_protocol(now)
    rates: list[RateComparison] = []
    for protocol in sorted(tested):
        usual = baseline.failed.get(protocol, 0), baseline.tested.get(protocol, 0)
        rates.append(RateComparison(failed.get(protocol, 0), tested[protocol], *usual))
    return rates


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


def _by_protocol(trials: Trials) -> dict[str, int]:
    modules: dict[str, set[str]] = defaultdict(set)
    for trial in trials:
        modules[trial.protocol_id].add(trial.module)
    return {protocol: len(tested) for protocol, tested in modules.items()}
