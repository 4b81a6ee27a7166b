"""The naive LIMS in small: whatever it says and however a process is stopped, nothing is twice or missing unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

import sandbox
from tests.chaos import scenarios
from tests.chaos.ledgers import POSTGRESQL, SQLITE
from tests.chaos.naive_storm import NAIVE, NaiveStorm
from tests.chaos.standing import TWICE

SAMPLES = 80
BLOWS = ("killed", "suspended", "stopped at the socket")


@pytest.mark.parametrize(
    "name", ["suspended", "stopped", "503", "401", "302", "items", "filter", "cache", "lag", "ids"]
)
def test_nothing_is_twice_or_missing_unseen_on_sqlite(name: str) -> None:
    standing, _, _ = scenarios.run(scenarios.SCENARIOS[name], SQLITE, SAMPLES)
    assert standing.holds, standing.line()


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["suspended", "503", "ids"])
def test_nothing_is_twice_or_missing_unseen_on_postgresql(name: str, postgresql: str) -> None:
    standing, _, _ = scenarios.run(scenarios.SCENARIOS[name], POSTGRESQL, SAMPLES)
    assert standing.holds, standing.line()


@pytest.mark.parametrize("name", ["socket", "socket-suspended", "socket-blind"])
def test_a_process_frozen_at_the_socket_makes_a_double_that_waits(name: str) -> None:
    """Between the look at the lease and the write nothing can help; the double that comes of it must be seen."""
    standing, _, _ = scenarios.run(scenarios.SCENARIOS[name], SQLITE, SAMPLES)
    assert standing.holds, standing.line()
    assert 1 <= len(standing.twice) <= 8, "only the request that was to be written, or those beside it"
    assert standing.waiting[TWICE] == len(standing.twice)


def test_the_promise_holds_in_a_storm_on_sqlite(tmp_path: Path) -> None:
    _storm(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path)


@pytest.mark.postgres
def test_the_promise_holds_in_a_storm_on_postgresql(tmp_path: Path, schema: str) -> None:
    _storm(schema, tmp_path)


def _storm(ledger: str, directory: Path) -> None:
    with sandbox.serve(directory / "lab", naive=NAIVE) as lab:
        verdict = NaiveStorm(lab, ledger, directory, seed=6, samples=40, blows=BLOWS, deadline=200).run()
    assert verdict.holds, verdict.lines()
    assert verdict.landed == dict.fromkeys(BLOWS, 1), verdict.lines()
