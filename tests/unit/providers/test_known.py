"""Shows that a product without an identity is asked by a read which it refuses to strangers, and by no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pv_testing.core.errors import AuthenticationError, ConfigError, IntegrationError
from pv_testing.integrations import LIMSClient
from tests.unit.providers.plain_lims import Body, contract

KEY = "a-key-of-tests"
OPEN: Body = {"data": []}


class Lims:
    """Answers reads as a test says; a read that isn't named is refused to strangers by 401.

    Attributes:
        strangers: what is answered to those without the key, by path.
        seen: path and key of each request.
    """

    def __init__(self, **strangers: Callable[[], web.Response]) -> None:
        self.strangers = strangers
        self.seen: list[tuple[str, str | None]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        key, name = request.headers.get("X-API-Key"), request.path.strip("/")
        self.seen.append((name, key))
        if key == KEY:
            if name == "picky":
                return web.json_response({"error": "from is missing"}, status=400)
            return web.json_response({"data": [{"id": 1}], "total": 1})
        if name in self.strangers:
            return self.strangers[name]()
        return web.json_response({"error": "who are you?"}, status=401)


def without_identity(*reads: str) -> Callable[[Body], None]:
    """Return what takes the identity out of a contract, and all reads but these listings."""

    def change(content: Body) -> None:
        del content["identity"]
        writes = {name: each for name, each in content["operations"].items() if "kind" in each}
        content["operations"] = {**writes, **{name: {"path": f"/{name}", "list": "data"} for name in reads}}

    return change


def identity(lims: Lims, folder: Path, *reads: str, **client: Any) -> str:
    path = contract(folder, without_identity(*reads))

    async def ask() -> str:
        async with TestServer(lims.app()) as server:
            address = str(server.make_url("")).rstrip("/")
            async with LIMSClient(address, contract=path, **{"api_key": KEY, **client}) as speaker:
                return await speaker.aidentity()

    return asyncio.run(ask())


def test_a_read_that_strangers_are_refused_serves_in_its_place(tmp_path: Path) -> None:
    lims = Lims()
    assert identity(lims, tmp_path, "samples") == "a caller who may samples; Custom doesn't say as whom"
    assert lims.seen == [("samples", None), ("samples", KEY)]


def test_wrong_credentials_are_found_by_it(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError):
        identity(Lims(), tmp_path, "samples", api_key="another-key-of-tests")


@pytest.mark.parametrize("key", [KEY, "another-key-of-tests"])
def test_a_read_that_strangers_are_given_too_proves_nothing(tmp_path: Path, key: str) -> None:
    lims = Lims(samples=lambda: web.json_response(OPEN))
    with pytest.raises(ConfigError, match=r"samples.*stranger.*add the request") as raised:
        identity(lims, tmp_path, "samples", api_key=key)
    assert raised.value.code == "NO_IDENTITY"
    assert lims.seen == [("samples", None)]


def test_the_next_read_is_tried_where_one_is_open_or_wants_more(tmp_path: Path) -> None:
    lims = Lims(news=lambda: web.json_response(OPEN))
    assert identity(lims, tmp_path, "news", "picky", "samples").startswith("a caller who may samples")


@pytest.mark.parametrize(
    "turned_away",
    [
        lambda: web.Response(status=302, headers={"Location": "https://login.example/"}),
        lambda: web.Response(body=b"<html>log in</html>", content_type="text/html"),
        lambda: web.json_response({"error": "SESSION"}),
        lambda: web.json_response({}, status=404),
    ],
)
def test_a_stranger_is_turned_away_in_many_ways(tmp_path: Path, turned_away: Callable[[], web.Response]) -> None:
    assert identity(Lims(samples=turned_away), tmp_path, "samples").startswith("a caller who may samples")


def test_without_any_read_the_contract_must_say_who_asks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no read without arguments"):
        identity(Lims(), tmp_path)


def test_without_credentials_a_read_that_works_is_enough(tmp_path: Path) -> None:
    lims = Lims(samples=lambda: web.json_response(OPEN))
    assert identity(lims, tmp_path, "samples", auth_type="none").startswith("a caller who may samples")


def test_a_system_that_cannot_be_reached_is_no_proof(tmp_path: Path) -> None:
    path = contract(tmp_path, without_identity("samples"))
    with LIMSClient("http://127.0.0.1:1", contract=path, api_key=KEY) as speaker, pytest.raises(IntegrationError):
        speaker.identity()
