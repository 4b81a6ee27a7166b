"""The middle of an exchange is told: each retry, wait, look-up and open breaker, in the log and as a metric."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from pv_testing.core import metrics
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import PlainLims, contract, exchange
from tests.unit.providers.test_refusals import samples


class Kept:
    """Keeps what is measured."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.times: Counter[str] = Counter()

    def count(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        self.counts[" ".join([name, *(f"{key}={tags[key]}" for key in sorted(tags))])] += number

    def time(self, name: str, seconds: float, tags: Mapping[str, str]) -> None:
        assert seconds >= 0
        self.times[" ".join([name, *(f"{key}={tags[key]}" for key in sorted(tags))])] += 1


@pytest.fixture
def measured() -> Iterator[Kept]:
    kept = Kept()
    metrics.send_to(kept)
    yield kept
    metrics.send_to(None)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_a_lost_answer_is_told_with_its_look_up(tmp_path: Path, caplog: pytest.LogCaptureFixture, measured) -> None:
    lims = PlainLims()

    async def lost(request: web.Request) -> web.StreamResponse:
        lims.create = None
        lims.add(await request.json())
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    lims.create = lost
    with caplog.at_level(logging.INFO, logger="pv_testing"), Ledger.in_memory() as ledger:
        report = exchange(lims, contract(tmp_path), samples(3), ledger=ledger)
    assert not report.not_in_effect()
    told = lines(caplog)
    assert "INFO create_sample on lims: 1 records looked up: 1 in effect, 0 not there, 0 otherwise or unclear" in told
    assert measured.counts["look_ups operation=create_sample system=lims"] == 1
    assert measured.counts["records operation=create_sample result=created system=lims"] == 2
    assert measured.counts["records operation=create_sample result=adopted system=lims"] == 1
    assert measured.counts["requests status=none system=lims"] == 1
    assert measured.counts["requests status=2xx system=lims"] == 3
    assert measured.times["exchange_seconds operation=create_sample system=lims"] == 1
    assert measured.times["wait_seconds system=lims"] == 4


def test_a_system_that_wants_to_be_left_alone_is_named_with_the_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lims = PlainLims()

    async def busy(_: web.Request) -> web.StreamResponse:
        lims.create = None
        return web.Response(status=429, headers={"Retry-After": "1"})

    lims.create = busy
    with caplog.at_level(logging.INFO, logger="pv_testing"), Ledger.in_memory() as ledger:
        exchange(lims, contract(tmp_path, total_timeout=10), samples(2), ledger=ledger)
    assert any(line.startswith("WARNING lims asks to be left alone for 1.0 s (HTTP 429)") for line in lines(caplog))


def test_a_breaker_tells_when_it_opens_and_what_stops_the_exchange(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, measured
) -> None:
    lims = PlainLims()

    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    lims.create = lims.search = broken
    with caplog.at_level(logging.INFO, logger="pv_testing"), Ledger.in_memory() as ledger:
        report = exchange(lims, contract(tmp_path), samples(12), ledger=ledger)
    assert report.not_in_effect()
    told = lines(caplog)
    assert any("requests in a row have failed; nothing is sent for" in line for line in told)
    assert sum("create_sample on lims: nothing more is sent:" in line for line in told) == 1
    assert measured.counts["breaker_opened system=lims"] >= 1
    retries = [line for line in told if "attempt 1 of" in line]
    assert retries
    assert all("lims: POST /samples/search" in line for line in retries)
