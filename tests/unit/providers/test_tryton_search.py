"""Shows that a search of Tryton comes to an end, and that nothing is made of pages that can't be Tryton's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.config import system_config
from pv_testing.contracts.load import load_contract
from pv_testing.core.errors import PaginationLoop, ResponseError
from pv_testing.ledger import Ledger
from pv_testing.providers.registry import open_provider
from pv_testing.providers.tryton import TrytonProvider, provider

Page = Callable[[int], Any]


def search(page: Page) -> tuple[list[dict[str, Any]], int]:
    """Return what a search finds, and how many pages it read.

    Args:
        page: the answer to a search for what follows an id.
    """
    pages = 0

    async def rpc(request: web.Request) -> web.Response:
        nonlocal pages
        call = await request.json()
        if call["method"] == "common.db.login":
            return web.json_response({"id": 0, "result": [1, "key", 0]})
        if call["method"].endswith("get_preferences"):
            return web.json_response({"id": 1, "result": {"company": 1, "name": "u"}})
        pages += 1
        (domain, *_), after = call["params"], 0
        for name, operator, value in domain:
            after = value if (name, operator) == ("id", ">") else after
        return web.json_response({"id": 1, "result": page(after)})

    async def asked() -> list[dict[str, Any]]:
        app = web.Application(client_max_size=2**27)
        app.router.add_post("/lab/rpc/", rpc)
        async with TestServer(app) as server:
            address = {"provider": "Tryton", "username": "u", "password": "a-password", "auth_type": "basic"}
            config = system_config("erp", str(server.make_url("/lab")), **address)
            tryton = open_provider(config, load_contract("erp_tryton"), Ledger.in_memory())
            assert isinstance(tryton, TrytonProvider)
            try:
                return await tryton.search("party.party", [], ["name"], operation="get_customers")
            finally:
                await tryton.aclose()

    return asyncio.run(asyncio.wait_for(asked(), 20)), pages


def numbered(first: int, number: int) -> list[dict[str, Any]]:
    return [{"id": first + place} for place in range(number)]


def test_pages_are_read_until_one_is_not_full():
    found, pages = search(lambda after: numbered(after + 1, min(provider.PAGE, 1_200 - after)))
    assert ([each["id"] for each in found], pages) == (list(range(1, 1_201)), 3)


@pytest.mark.parametrize(
    "page",
    [
        lambda _: numbered(1, provider.PAGE),
        lambda after: numbered(after, provider.PAGE),
        lambda _: numbered(1, provider.PAGE)[::-1],
        lambda _: numbered(1, 1) * 2,
    ],
    ids=["the same page for ever", "the last one again", "backwards", "one twice"],
)
def test_a_page_that_does_not_go_on_is_an_error(page: Page):
    with pytest.raises(PaginationLoop):
        search(page)


def test_there_is_an_end_to_what_goes_on_for_ever(monkeypatch):
    monkeypatch.setattr(provider, "PAGES", 3)
    with pytest.raises(PaginationLoop, match="1,500"):
        search(lambda after: numbered(after + 1, provider.PAGE))


@pytest.mark.parametrize(
    "page", [None, {}, {"id": 1}, "x", [1], [{"name": "a"}], [{"id": "1"}], [{"id": True}], [{"id": None}]]
)
def test_what_is_no_page_is_none_of_trytons(page: Any):
    with pytest.raises(ResponseError):
        search(lambda _: page)
