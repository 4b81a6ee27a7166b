"""Attempts to bring samples into the naive LIMS, which are killed, stopped, continued and suspended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import sandbox
from pv_testing.ledger import Ledger, State
from tests import yaml_text
from tests.chaos.siege import Siege
from tests.chaos.standing import TWICE, Standing, standing
from tests.chaos.standstill import SECONDS
from tests.forks import PROJECT, ModuleProcess

LIMITS = {"attempt_timeout": 1, "total_timeout": 1.5, "horizon": 0.3}
"""So that a lease ends after little more than three seconds."""
FINAL = {State.CONFIRMED, State.QUARANTINED, State.REJECTED}
"""What another attempt doesn't change by itself."""
IDLE = 3
"""After so many attempts that change nothing, whatever is left is left."""


class NaiveSiege(Siege):
    """Attempts to create the samples of a laboratory in its naive LIMS.

    Args:
        lab: the laboratory.
        ledger: the address of the ledger.
        directory: for the contract, the clocks and the logs.
        bulk: the most samples that one request carries; 1 sends each by itself.
        look_first: whether each record is looked up before it is sent.
        deadline: seconds after which all is given up.
    """

    def __init__(
        self,
        lab: sandbox.Lab,
        ledger: str,
        directory: Path,
        *,
        bulk: int = 1,
        look_first: bool = False,
        deadline: float = 240.0,
    ) -> None:
        super().__init__(directory, deadline)
        self.lab = lab
        self.ledger = ledger
        self.stop_before = 0
        self.contract = contract(directory / "lims_naive.yaml", bulk=bulk, look_first=look_first)

    @property
    def wanted(self) -> int:
        """How many samples the LIMS should hold."""
        return sum(len(request["module"]["serial_numbers"]) for request in self.lab.service_requests())

    def command(self) -> Sequence[str]:
        """Return the worker that creates samples, on a machine that can be suspended."""
        clock = self._clock(self.attempts)
        clock.write_bytes(SECONDS.pack(0.0))
        return [
            *("tests.chaos.standstill", str(clock), str(self.stop_before), "tests.chaos.worker"),
            *("--ledger", self.ledger, "--contract", str(self.contract), "--owner", f"try {self.attempts}"),
            *("--framework", self.lab.framework_url, "--lims", self.lab.lims_url),
            *("--username", self.lab.credentials.framework_username),
        ]

    def secrets(self) -> Mapping[str, str]:
        """Return the password and the key."""
        known = self.lab.credentials
        return {"PV_STORM_PASSWORD": known.framework_password, "PV_STORM_API_KEY": known.lims_api_key}

    def arrived(self) -> int:
        """Return how many samples the LIMS has."""
        return int(self.lab.lims_rows("SELECT count(*) AS n FROM samples")[0]["n"])

    def standing(self) -> Standing:
        """Return what there is in the end."""
        return standing(self.lab, self.ledger, self.wanted)

    @contextmanager
    def stopped(
        self, *, at: int = 0, before_write: int = 0, suspended: bool = False, kill_at: int = 0
    ) -> Iterator[int]:
        """Run an attempt that is stopped in its midst; the context is what happens meanwhile, then it is continued.

        Args:
            at: stop it when so many samples have arrived.
            before_write: it stops itself right before it creates for the so many-th time.
            suspended: its monotonic clock stands still meanwhile.
            kill_at: kill it when it was continued and so many samples have arrived.

        Yields:
            The number of the attempt, 0 where it ended before it could be stopped.
        """
        self.attempts += 1
        self.stop_before, number = before_write, self.attempts
        with self._process() as process:
            self.stop_before = 0
            stopped = self._stop(process, at, by_itself=bool(before_write))
            since = time.monotonic()
            yield number if stopped else 0
            if suspended:
                self._clock(number).write_bytes(SECONDS.pack(time.monotonic() - since))
            process.send_signal(signal.SIGCONT)
            while kill_at and process.poll() is None and self.arrived() < kill_at:
                time.sleep(0.0005)
            if kill_at:
                process.send_signal(signal.SIGKILL)
            process.wait(max(1.0, self.give_up - time.monotonic()))

    def _stop(self, process: ModuleProcess, at: int, *, by_itself: bool) -> bool:
        while process.poll() is None:
            if not by_itself and self.arrived() >= at:
                process.send_signal(signal.SIGSTOP)
                by_itself = True
            if process.stopped():
                return True
            time.sleep(0.002)
        return False

    def until_settled(self) -> None:
        """Run attempts until none is needed, only a person can do more, or several have changed nothing."""
        idle, before = 0, self._states()
        while self.attempt() and idle < IDLE:
            after = self._states()
            if len(after) == self.wanted and FINAL.issuperset(after.values()):
                return
            idle = idle + 1 if before == after else 0
            before = after

    def release(self) -> None:
        """Do what a person does: let be looked up once more what isn't there twice."""
        with Ledger(self.ledger) as ledger:
            waiting = list(ledger.entries("lims", "sample", [State.QUARANTINED, State.REJECTED]))
            ledger.release("lims", "sample", [each.key for each in waiting if each.code != TWICE], owner="a person")

    def _states(self) -> dict[str, State]:
        """Return how each record stands in the ledger."""
        with Ledger(self.ledger) as ledger:
            return {entry.key: entry.state for entry in ledger.entries("lims", "sample")}

    def _clock(self, attempt: int) -> Path:
        return self.directory / f"clock-{attempt:03}"


def contract(path: Path, *, bulk: int = 1, look_first: bool = False) -> Path:
    """Write the generic contract with short deadlines and a look-up by ``GET``, one record at a time."""
    written = yaml_text.read(PROJECT / "include/mappings/lims_custom.yaml")
    written["limits"].update(LIMITS)
    create = written["operations"]["create_sample"]
    if bulk == 1:
        del create["bulk"]
    else:
        create["bulk"]["size"] = bulk
    for name in ("method", "keys"):
        del create["find"][name]
    create["find"].update(path="/samples", query={"external_id": "external_id", "project_id": "project_id"})
    create["look_first"] = look_first
    path.write_text(yaml_text.dump(written, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
