"""Shows that a system which takes fewer requests than there are is asked more slowly, and loses and doubles nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.contracts import load_contract
from pv_testing.core.errors import NetworkError, RateLimited
from pv_testing.core.records import Prepared, Record, Reply, Result, Verdict
from pv_testing.exchange.engine import Exchange
from pv_testing.ledger import Ledger
from pv_testing.providers.stepped import SteppedOperation
from pv_testing.transports.rest import RestSession, RestSettings
from tests.unit.providers.plain_lims import Body, PlainLims, contract, exchange


def samples(number: int) -> list[Record]:
    return [
        Record(f"P/{place}", {"serial_number": str(place), "sr_number": "P", "customer_name": "C"})
        for place in range(number)
    ]


class Busy(PlainLims):
    """Takes so many requests in a second, and answers the others with 429 and not a word of when.

    Args:
        rate: how many.
    """

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate, self.refused = rate, 0
        self._second, self._taken = 0, 0

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self._limit)
        return app

    @web.middleware
    async def _limit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        second = int(time.monotonic())
        self._second, self._taken = second, (self._taken if second == self._second else 0) + 1
        if self._taken > self.rate:
            self.refused += 1
            return web.json_response({"error": {"code": "TOO_MANY"}}, status=429)
        return await handler(request)


def promising(content: Body) -> None:
    content["errors"]["not_processed"] = [429]


@pytest.mark.parametrize("change", [promising, lambda _: None], ids=["promised", "doubtful"])
def test_a_429_without_a_time_slows_the_exchange_down_until_the_system_takes_everything(
    tmp_path: Path, change: Any
) -> None:
    lims, ledger = Busy(20), Ledger.in_memory()
    path = contract(tmp_path, change, attempt_timeout=10, total_timeout=60)
    report = exchange(lims, path, samples(80), ledger=ledger)
    assert {name: number for name, number in report.counts().items() if number} == {"created": 80}
    assert set(Counter(each["external_id"] for each in lims.samples).values()) == {1}
    assert 0 < lims.refused < 80
    assert ledger.waiting() == []


def test_what_was_done_is_kept_when_the_system_takes_no_more_at_all(tmp_path: Path) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def create(request: web.Request) -> web.Response:
        if len(lims.samples) >= 10:
            return web.json_response({}, status=429)
        return web.json_response(lims.add(await request.json()), status=201)

    lims.create = create
    path = contract(tmp_path, promising, total_timeout=2, concurrency=2)
    report = exchange(lims, path, samples(30), ledger=ledger)
    assert isinstance(report.error, RateLimited)
    assert (report.counts()["created"], {each.code for each in report.not_in_effect()}) == (10, {"NOT_SENT"})
    assert ledger.waiting() == []


def test_a_record_that_could_not_even_be_looked_up_is_not_sent_and_in_no_doubt(tmp_path: Path) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def search(_: web.Request) -> web.Response:
        return web.Response(status=503)

    def first(content: Body) -> None:
        content["operations"]["create_sample"]["look_first"] = True

    lims.search = search
    report = exchange(lims, contract(tmp_path, first), samples(3), ledger=ledger)
    assert {each.code for each in report.outcomes} == {"NOT_SENT"}
    assert ledger.waiting() == []
    assert "POST /samples" not in lims.seen


class InSteps(SteppedOperation):
    """A creation in two requests, as a product that wants a draft first."""

    async def perform(self, item: Prepared) -> Reply:
        for step in ("draft", "submit"):
            answer = (await self._session.request("POST", f"/samples?{step}", json=item.payload)).json()
        return Reply(Verdict.OK, answer["id"])


@pytest.mark.parametrize("paused", [True, False])
def test_of_several_steps_none_was_sent_where_the_system_is_left_alone_from_the_beginning(
    tmp_path: Path, *, paused: bool
) -> None:
    lims, ledger = PlainLims(), Ledger.in_memory()

    async def create(request: web.Request) -> web.Response:
        raise AssertionError(request.path)

    async def run() -> Any:
        async with TestServer(lims.app()) as server:
            address = str(server.make_url("")) if paused else "http://127.0.0.1:9"
            settings = RestSettings(address, system="lims", backoff=0.01)
            until = time.time() + 3600 if paused else 0.0
            async with RestSession(settings, not_before=until) as session:
                known = load_contract(contract(tmp_path))
                operation = InSteps(known, known.operation("create_sample"), session)
                return await Exchange(operation, ledger).arun(samples(3))

    lims.create = create
    report = asyncio.run(run())
    assert isinstance(report.error, RateLimited if paused else NetworkError)
    assert {(each.result, each.code) for each in report.outcomes} == {(Result.DEFERRED, "NOT_SENT")}
    assert ledger.waiting() == []
