"""Histories of a few tests, written out for tests with known answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count

from pv_testing.core.places import project_root
from pv_testing.core.yaml_file import read_yaml
from pv_testing.quality.analysis import Analysis, Analyst, Earlier
from pv_testing.quality.capa_policy import CapaPolicy
from pv_testing.quality.history import CountedExecution, History

AT = datetime(2025, 11, 14, 6, tzinfo=timezone.utc)
_numbers = count(1)


def policy(**changes) -> CapaPolicy:
    """Return the shipped rules with other values."""
    return CapaPolicy.of({**read_yaml(project_root() / "config" / "capa.yaml").value, **changes})


def trials(
    failed: int, tested: int, *, protocol: str = "PVTP-018", days_ago: float = 5, model: str = "A 1", bench: str = "B-1"
) -> Iterator[CountedExecution]:
    """Give tests on as many modules, of which the first fail."""
    for number in range(tested):
        name, at = str(next(_numbers)), AT - timedelta(days=days_ago)
        yield CountedExecution(name, protocol, f"M{name}", "SR-1", at, number < failed, model, (bench,), ("Pmax",))


def year(failed: int, tested: int, **about) -> Iterator[CountedExecution]:
    """Give tests of the year before the window."""
    return trials(failed, tested, days_ago=100, **about)


def analysed(*parts, rules: CapaPolicy | None = None, earlier: dict[str, Earlier] | None = None) -> Analysis:
    """Return what the analysis makes of tests."""
    history = History(trial for part in parts for trial in part)
    return Analyst(history, rules or policy(), AT, earlier or {}).analyse()
