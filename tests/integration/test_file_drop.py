"""A LIMS that imports files, and attempts that carry samples to it: both are killed, and nothing doubles."""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pv_testing.ledger import Ledger
from sandbox.importer import Importer
from tests.forks import ModuleProcess
from tests.integration.file_drop import samples, short_contract

RECORDS = 120
KILLS = 14


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return request.getfixturevalue("schema").replace("postgresql://", "postgresql+psycopg://")


class Scene:
    """The folder, and both sides as processes."""

    def __init__(self, tmp_path: Path, url: str) -> None:
        self.store, self.base, self.url = tmp_path / "store", tmp_path / "lims.sqlite", url
        self.store.mkdir()
        self.contract = short_contract(tmp_path, deadline=6)
        self.dice = random.Random(7)
        self.importer: ModuleProcess | None = None
        self.logs = (tmp_path / f"process-{number}.log" for number in itertools.count())

    def start(self, module: str, *arguments: str) -> ModuleProcess:
        return ModuleProcess([module, *arguments], os.environ, next(self.logs))

    def import_again(self, lose: float = 0.15) -> None:
        self.stop()
        number = str(self.dice.randrange(1000))
        place = ["--root", str(self.store), "--database", str(self.base), "--seed", number]
        self.importer = self.start("sandbox.importer", *place, "--lose", str(lose), "--every", "0.02")

    def stop(self) -> None:
        if self.importer is not None:
            self.importer.end()
            self.importer = None

    def attempt(self) -> ModuleProcess:
        place = ["--store", str(self.store), "--contract", str(self.contract), "--ledger", self.url]
        worker = self.start("tests.integration.file_drop", *place, "--records", str(RECORDS))
        worker.wait_for("ready")
        return worker

    def imported(self) -> list[dict[str, str]]:
        with sqlite3.connect(self.base) as base:
            return [json.loads(row) for (row,) in base.execute("SELECT record FROM imported")]


def finish(scene: Scene) -> None:
    """Run attempts until every record is in effect or waits for a person."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        worker = scene.attempt()
        worker.wait(60)
        status = worker.poll()
        worker.end()
        if status == 0:
            return
        time.sleep(0.5)
    raise AssertionError("attempts are still deferred")


def test_nothing_is_imported_twice_or_lost_whoever_is_killed(tmp_path, url) -> None:
    scene = Scene(tmp_path, url)
    scene.import_again()
    try:
        for kill in range(KILLS):
            worker = scene.attempt()
            time.sleep(scene.dice.uniform(0.0, 0.9))
            worker.end()
            if kill % 3 == 2:
                scene.import_again()
        finish(scene)
    finally:
        scene.stop()
    keys = [sample.key for sample in samples(RECORDS)]
    counts = Counter(f"{row['PROJECT']}/{row['TEXT_ID']}" for row in scene.imported())
    assert [key for key, count in counts.items() if count > 1] == []
    with Ledger(url) as ledger:
        ledger.verify()
        known = ledger.states("lims", "sample", keys)
        waiting = {key for key, entry in known.items() if entry.state.value in {"quarantined", "rejected"}}
        assert set(known) == set(keys)
        assert {key for key in keys if key not in waiting} <= set(counts)
        assert {known[key].code for key in waiting} <= {"LOOKUP_REFUSED"}
        answer_late(scene)  # whether an answer was lost, the moments of the kills decide
        ledger.release("lims", "sample", sorted(waiting), owner="jane")
    finish(scene)
    with Ledger(url) as ledger:
        states = {entry.state.value for entry in ledger.states("lims", "sample", keys).values()}
        assert states == {"confirmed"}
    assert sorted(f"{row['PROJECT']}/{row['TEXT_ID']}" for row in scene.imported()) == sorted(keys)


def answer_late(scene: Scene) -> None:
    """Write the answers that were lost, as a person would have them written again."""
    scene.import_again(lose=0.0)
    while list((scene.store / "import").glob("*.csv")):
        time.sleep(0.05)
    scene.stop()
    with closing(Importer(scene.store, scene.base)) as importer:
        importer.answer_lost()
