"""Thousands of events from eight senders, a third of them again and in any order, at a receiver that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from pv_testing.ledger import Ledger
from pv_testing.webhooks.starting import start_waiting
from tests import yaml_text
from tests.unit.webhooks.receiving import SECRET, Runs, contract, standard

PROJECT = Path(__file__).parents[2]
SENDERS = 8
TARGET_SECONDS = 0.05


@dataclass
class WebhookVerdict:
    """What came of a storm.

    Attributes:
        events: different ones that were sent.
        sent: acknowledgements, repeated events included.
        kills: how often the receiver was killed.
        lost: acknowledged events that are not in the inbox.
        twice: events that started a run more than once, or more rows than events.
        waits: seconds until an acknowledgement, without those that a kill has delayed.
        refused: answers other than 202.
        seconds: from the first request to the last answer.
    """

    events: int
    sent: int = 0
    kills: int = 0
    lost: int = 0
    twice: int = 0
    waits: list[float] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether none was lost and none took effect twice."""
        return not (self.lost or self.twice or self.refused)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 were acknowledged."""
        return sorted(self.waits)[int(len(self.waits) * 0.99)] if self.waits else 0.0

    def lines(self) -> list[str]:
        """Say it for people."""
        return [
            f"{self.events:,} events, {self.sent:,} acknowledgements, {self.kills} kills of the receiver",
            f"{self.lost} acknowledged events lost, {self.twice} took effect twice, {len(self.refused)} refused",
            f"acknowledged within {self.p99 * 1000:.0f} ms in 99 of 100 cases",
        ]


class WebhookStorm:
    """One storm.

    Args:
        ledger: its address.
        folder: for settings and logs.
        events: how many different ones.
        kills: how often the receiver is killed.
        seed: of the random numbers.
    """

    def __init__(self, ledger: str, folder: Path, *, events: int = 10_000, kills: int = 10, seed: int = 7) -> None:
        self._ledger = ledger
        self._folder = folder
        self._chance = random.Random(seed)
        self._verdict = WebhookVerdict(events, kills=kills)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> WebhookVerdict:
        """Run the storm and judge it."""
        self._configure()
        Ledger(self._ledger).close()
        try:
            asyncio.run(self._storm())
        finally:
            self._end(signal.SIGTERM)
        self._judge()
        return self._verdict

    def _configure(self) -> None:
        way = {"verify": "standard_webhooks", "service_request": ["data.sr_number"], "starts": {"*": ["pv_results"]}}
        source = {"secrets": ["env:HOOK"], "contract": contract(self._folder, "lims", way)}
        settings = {"receive": {"systems": {"lims": source}}}
        (self._folder / "webhooks.yaml").write_text(yaml_text.dump(settings))
        (self._folder / "integrations.yaml").write_text("{}")

    def _start(self) -> None:
        environment = {
            **os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "HOOK": SECRET,
            "PV_CONFIG": str(self._folder / "integrations.yaml"), "AIRFLOW_HOME": str(self._folder),
        }  # fmt: skip
        command = [sys.executable, "-m", "pv_testing", "receive", "--port", str(self._port), "--ledger", self._ledger]
        with (self._folder / "receiver.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _end(self, by: int) -> None:
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(30)

    async def _storm(self) -> None:
        numbers = list(range(self._verdict.events))
        numbers += self._chance.sample(numbers, int(len(numbers) * 0.3))
        self._chance.shuffle(numbers)
        self._start()
        await self._until_ready()
        kills = asyncio.create_task(self._kill_now_and_then(len(numbers)))
        began = time.perf_counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SENDERS)) as client:
            await asyncio.gather(*(self._send_all(client, numbers[place::SENDERS]) for place in range(SENDERS)))
        self._verdict.seconds = time.perf_counter() - began
        await kills

    async def _send_all(self, client: aiohttp.ClientSession, numbers: Sequence[int]) -> None:
        for number in numbers:
            body = json.dumps({"event": "sample.received", "data": {"sr_number": f"SR-{number % 50}"}}).encode()
            delayed = False
            while True:
                began = time.perf_counter()
                headers = standard(body, message_id=f"msg_{number}")
                try:
                    async with client.post(f"http://127.0.0.1:{self._port}/lims", data=body, headers=headers) as answer:
                        status = answer.status
                        await answer.read()
                    break
                except (aiohttp.ClientError, OSError):
                    delayed = True
                    await asyncio.sleep(0.02)
            if status != 202:
                self._verdict.refused.append(status)
                continue
            self._verdict.sent += 1
            if not delayed:
                self._verdict.waits.append(time.perf_counter() - began)

    async def _kill_now_and_then(self, total: int) -> None:
        steps = self._verdict.kills + 1
        for step in range(1, steps):
            while self._verdict.sent + len(self._verdict.refused) < total * step // steps:  # noqa: ASYNC110 - a counter
                await asyncio.sleep(0.005)
            await asyncio.sleep(self._chance.random() * 0.01)
            await asyncio.to_thread(self._end, signal.SIGKILL)
            self._start()
            await self._until_ready()

    async def _until_ready(self) -> None:
        for _ in range(1_000):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.03)
            else:
                writer.close()
                return
        raise TimeoutError("the receiver doesn't start")

    def _judge(self) -> None:
        with Ledger(self._ledger) as ledger:
            kept = sum(ledger.inbox.counts().values())
            self._verdict.lost = max(self._verdict.events - kept, 0)
            self._verdict.twice = max(kept - self._verdict.events, 0)
            started: list[str] = []
            runs = Runs()
            while waiting := ledger.inbox.waiting():
                started += [each.event.id for each in waiting]
                start_waiting(ledger, runs)
            self._verdict.twice += len(started) - len(set(started))
            self._verdict.lost += self._verdict.events - len(set(started))
            ledger.verify()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
