"""``webhooks deliver --stay``: a process that delivers, tries again when it is due, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pv_testing.core.records import Result
from pv_testing.ledger import Ledger
from pv_testing.ledger.outbox import DELIVERED
from pv_testing.webhooks import WebhookManager
from pv_testing.webhooks.schedule import JITTER, SCHEDULE
from tests.forks import ModuleProcess
from tests.unit.webhooks.conftest import SECRET, Told
from tests.unit.webhooks.test_outbox import settle

ENDS = [signal.SIGTERM, signal.SIGINT]


class Staying:
    """The process, and the ledger that it shares with the test."""

    def __init__(self, folder: Path, told: Told) -> None:
        (folder / "integrations.yaml").write_text("{}")
        (folder / "webhooks.yaml").write_text("send: {allow: [127.0.0.0/8], allow_http: true}")
        self.folder, self.url = folder, f"sqlite:///{folder / 'ledger.sqlite'}"
        with Ledger(self.url) as ledger:
            self.endpoint = WebhookManager(ledger).register(told.url, ["*"], "env:HOOK").id
        self.process: ModuleProcess | None = None

    def settle(self, key: str) -> None:
        with Ledger(self.url) as ledger:
            settle(ledger, "sample", key, Result.CREATED, sr_number="SR-1")

    def start(self) -> ModuleProcess:
        command = ["pv_testing", "webhooks", "deliver", "--stay", "--ledger", self.url]
        self.process = ModuleProcess(command, os.environ, self.folder / "said.log")
        return self.process

    def delivered(self) -> int:
        with Ledger(self.url) as ledger:
            return ledger.outbox.counts().get((self.endpoint, DELIVERED), 0)


@pytest.fixture
def staying(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Staying]:
    monkeypatch.setenv("PV_CONFIG", str(tmp_path / "integrations.yaml"))
    monkeypatch.setenv("HOOK", SECRET)
    opened = Staying(tmp_path, told)
    yield opened
    if opened.process is not None:
        opened.process.end()


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it never holds"
        time.sleep(0.02)


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_failure_is_tried_again_when_it_is_due_and_the_process_ends_when_it_is_asked_to(
    staying: Staying, told: Told, number: signal.Signals
) -> None:
    told.answers = [(500, {})]
    staying.settle("A")
    process = staying.start()
    until(lambda: len(told.requests) == 1)
    began = time.monotonic()
    until(lambda: staying.delivered() == 1)
    assert (1 - JITTER) * SCHEDULE[0] - 1 <= time.monotonic() - began <= (1 + JITTER) * SCHEDULE[0] + 4
    staying.settle("B")
    until(lambda: staying.delivered() == 2)
    assert told.ids[0] == told.ids[1] != told.ids[2]
    assert process.poll() is None
    process.send_signal(number)
    process.wait(10)
    assert process.poll() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_delivery_that_is_under_way_is_settled_before_the_end(
    staying: Staying, told: Told, number: signal.Signals
) -> None:
    told.delay = 2.0
    staying.settle("A")
    process = staying.start()
    until(lambda: len(told.requests) == 1)
    process.send_signal(number)
    process.wait(20)
    assert process.poll() == 0
    assert staying.delivered() == 1
    assert len(told.requests) == 1
