"""Shows that the clock of leases runs on while time.monotonic() stands still, and never back."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from pv_testing.core.clock import LEAST_STEP, _Clock


class Machine:
    """The clocks of a machine, set by a test.

    Attributes:
        up: seconds since its start; they stand still while a host has paused it.
        wall: epoch seconds.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up, self.wall = 1_000.0, 1_700_000_000.0
        clocks = SimpleNamespace(time=lambda: self.wall, clock_gettime=lambda _: self.up, monotonic=lambda: self.up)
        monkeypatch.setattr("pv_testing.core.clock.time", clocks)

    def pass_by(self, seconds: float) -> None:
        self.up += seconds
        self.wall += seconds


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_the_clock_runs_with_the_machine(machine):
    clock = _Clock()
    begin = clock.seconds()
    machine.pass_by(10)
    assert clock.seconds() - begin == pytest.approx(10)


def test_time_that_only_the_wall_clock_has_seen_counts(machine):
    clock = _Clock()
    begin = clock.seconds()
    machine.wall += 300
    machine.pass_by(1)
    assert clock.seconds() - begin == pytest.approx(301)


def test_a_wall_clock_that_is_set_back_takes_nothing_away(machine):
    clock = _Clock()
    begin = clock.seconds()
    machine.wall -= 3_600
    machine.pass_by(5)
    assert clock.seconds() - begin == pytest.approx(5)
    machine.wall += 100
    assert clock.seconds() - begin == pytest.approx(105)


def test_small_corrections_of_the_wall_clock_do_not_add_up(machine):
    clock = _Clock()
    begin = clock.seconds()
    for _ in range(1_000):
        machine.wall += LEAST_STEP / 2
        clock.seconds()
        machine.wall -= LEAST_STEP / 2
        clock.seconds()
    assert clock.seconds() == begin


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts a suspension")
def test_a_suspended_machine_is_counted_by_the_clock_since_its_start(monkeypatch):
    real, asleep = time.clock_gettime, [0.0]
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) + asleep[0])
    clock = _Clock()
    begin = clock.seconds()
    asleep[0] = 120.0
    assert clock.seconds() - begin == pytest.approx(120, abs=1)
