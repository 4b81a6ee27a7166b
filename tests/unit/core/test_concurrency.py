"""Shows that nothing goes on after work that was begun side by side has failed."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.concurrency import bounded
from pv_testing.core.errors import AuthenticationError, NetworkError
from pv_testing.integrations import LIMSClient
from pv_testing.integrations.framework import gather_bounded
from pv_testing.ledger import Ledger

KEY = "a-key-of-tests"


def test_results_come_in_their_order_and_no_more_than_the_limit_run_at_a_time():
    running = most = 0

    async def work(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01 / (number + 1))
        running -= 1
        return number

    assert asyncio.run(bounded([work(number) for number in range(10)], 3)) == list(range(10))
    assert most == 3
    assert asyncio.run(bounded([], 3)) == []


def test_when_one_fails_no_other_is_begun_and_none_goes_on():
    begun, ended = [], []

    async def work(number):
        begun.append(number)
        await asyncio.sleep(0.01 if number == 1 else 0.1)
        if number == 1:
            raise ValueError("one")
        ended.append(number)

    async def run():
        with pytest.raises(ValueError, match="one"):
            await bounded([work(number) for number in range(10)], 3)
        await asyncio.sleep(0.2)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(run())
    assert (begun, ended) == ([0, 1, 2], [])


class Lims:
    """Answers reads after a while, but refuses the credentials of one of them at once."""

    def __init__(self) -> None:
        self.seen = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.seen += 1
        if request.path.endswith("/7"):
            return web.Response(status=401)
        await asyncio.sleep(0.2)
        return web.json_response({"id": request.path})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/samples/{id}", self.answer)
        return app


def test_a_refused_read_ends_the_others_and_a_closed_client_sends_nothing_more():
    lims = Lims()

    async def run():
        async with TestServer(lims.app()) as server:
            with pytest.raises(AuthenticationError):
                async with LIMSClient(str(server.make_url("")), api_key=KEY, ledger=Ledger.in_memory()) as client:
                    await gather_bounded([client.acall("get_sample", sample_id=number) for number in range(60)])
            before = lims.seen
            await asyncio.sleep(1)
            return before, lims.seen

    before, after = asyncio.run(run())
    assert before == after
    assert before <= 8


def test_what_others_have_begun_with_a_client_sends_nothing_after_it_was_closed():
    lims = Lims()

    async def begun(client, number):
        for _ in range(3):
            await client.acall("get_sample", sample_id=number)

    async def run():
        async with TestServer(lims.app()) as server:
            async with LIMSClient(str(server.make_url("")), api_key=KEY, ledger=Ledger.in_memory()) as client:
                tasks = [asyncio.ensure_future(begun(client, number)) for number in (1, 2, 3, *range(8, 60))]
                await asyncio.sleep(0.1)
            before = lims.seen
            results = await asyncio.gather(*tasks, return_exceptions=True)
            async with client:
                await client.acall("get_sample", sample_id=1)
            return before, lims.seen - 1, results

    before, after, results = asyncio.run(run())
    assert before == after
    assert {type(each) for each in results} == {NetworkError}
