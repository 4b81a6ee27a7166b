"""Shows that a plain call which must not be repeated is sent once, whatever a system or its proxy answers to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.errors import AmbiguousOutcome, RateLimited
from pv_testing.integrations import LIMSClient
from pv_testing.ledger import Ledger
from tests.unit.providers.plain_lims import Body, PlainLims, contract
from tests.unit.providers.test_refusals import OAUTH, Proxied

KEY = {"api_key": "a-key-of-tests"}
AFTER_THE_EFFECT: dict[str, tuple[int, dict[str, str]]] = {
    "unavailable": (503, {}),
    "unavailable for a while": (503, {"Retry-After": "0.1"}),
    "too many": (429, {}),
    "too many for a while": (429, {"Retry-After": "0.1"}),
    "too early": (425, {}),
}


def speak(
    lims: PlainLims, path: Path, work: Callable[[LIMSClient], Awaitable[Any]], client: dict[str, str] = KEY
) -> Any:
    """Do some work with a client of the system."""

    async def run() -> Any:
        with Ledger.in_memory() as ledger:
            async with TestServer(lims.app()) as server:
                address = str(server.make_url(""))
                async with LIMSClient(address, contract=str(path), ledger=ledger, **client) as speaker:
                    return await work(speaker)

    return asyncio.run(run())


async def create(client: LIMSClient, number: str) -> Any:
    return await client.acall("create_sample", project_id="P", external_id=number)


async def create_many(client: LIMSClient) -> list[Any]:
    made = []
    for place in range(12):
        try:
            made.append(await create(client, str(place)))
        except AmbiguousOutcome as error:
            made.append(error)
    return made


@pytest.mark.parametrize("what", AFTER_THE_EFFECT)
def test_no_refusal_after_the_effect_makes_a_second_record(tmp_path: Path, what: str) -> None:
    status, headers = AFTER_THE_EFFECT[what]
    lims = Proxied(status, headers)
    made = speak(lims, contract(tmp_path, total_timeout=10), create_many)
    assert Counter(each["external_id"] for each in lims.samples) == Counter(str(place) for place in range(12))
    unclear = [error for error in made if isinstance(error, AmbiguousOutcome)]
    assert (len(unclear), lims.posts) == (3, 12)
    for part in (f"HTTP {status}", "may have taken effect", "look in the system", f"not_processed: [{status}]"):
        assert part in unclear[0].message
    assert (unclear[0].system, unclear[0].operation, unclear[0].code) == ("lims", "create_sample", f"HTTP_{status}")


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("how", ["not_processed", "rule"])
def test_a_product_that_promises_is_believed(tmp_path: Path, status: int, how: str) -> None:
    def promises(content: Body) -> None:
        if how == "rule":
            content["errors"]["rules"] = [{"status": status, "verdict": "retryable"}]
        else:
            content["errors"]["not_processed"] = [status]

    lims = Proxied(status, {}, commits=False)
    made = speak(lims, contract(tmp_path, promises, total_timeout=10), create_many)
    assert [each["external_id"] for each in made] == [each["external_id"] for each in lims.samples]
    assert len(lims.samples) == 12 < lims.posts


def test_a_wish_to_be_left_alone_is_kept_although_nothing_is_sent_again(tmp_path: Path) -> None:
    async def twice(client: LIMSClient) -> None:
        with pytest.raises(AmbiguousOutcome):
            await create(client, "1")
        with pytest.raises(RateLimited, match="left alone"):
            await create(client, "2")

    lims = Proxied(429, {"Retry-After": "60"})
    speak(lims, contract(tmp_path, total_timeout=2), twice)
    assert lims.posts == 1


def test_a_token_that_has_expired_is_renewed_and_the_call_sent_once_more(tmp_path: Path) -> None:
    lims = Proxied(401, {}, commits=False)
    made = speak(lims, contract(tmp_path, total_timeout=10), create_many, OAUTH)
    assert [each["external_id"] for each in made] == [str(place) for place in range(12)]
    assert len(lims.samples) == 12 < lims.posts


@pytest.mark.parametrize("status", [503, 429, 500])
def test_asking_who_we_are_has_no_effect_and_is_repeated(tmp_path: Path, status: int) -> None:
    class Asked(PlainLims):
        def app(self) -> web.Application:
            app = super().app()
            app.router.add_post("/who", self._who)
            return app

        async def _who(self, _: web.Request) -> web.Response:
            self.seen.append("who")
            return web.json_response({"name": "lab"}, status=status if len(self.seen) == 1 else 200)

    def by_post(content: Body) -> None:
        content["identity"] = {"method": "POST", "path": "/who", "who": "name"}

    lims = Asked()
    assert speak(lims, contract(tmp_path, by_post, total_timeout=10), LIMSClient.aidentity) == "lab"
    assert lims.seen == ["who", "who"]
