"""Shows that a login which is described as data gives a token, renews it, and never says a secret."""

from __future__ import annotations

import asyncio
import json as text
import logging
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from pv_testing.config import system_config
from pv_testing.contracts import load_contract
from pv_testing.core import clock
from pv_testing.core.errors import AuthenticationError, ConfigError, NetworkError
from pv_testing.providers.session import make_auth
from pv_testing.transports.auth import TokenAuth
from tests import yaml_text
from tests.unit.transports.servers import json

pytestmark = pytest.mark.anyio
SECRET = "s3cr3t-not-to-be-seen"
USER = "lab-service"
LOGIN: dict[str, Any] = {
    "method": "PUT",
    "path": "/door/open",
    "body": {"account": {"name": "{username}", "word": "{password}"}, "site": "$site"},
    "token": "data.session.key",
    "header": "X-Door",
    "value": "Key {token}",
    "lifetime": "data.seconds",
    "refused": [{"at": "ok", "equals": False}, {"contains": "account is locked"}],
}


class Door:
    """A product that is logged in to in its own way; it knows the newest session only, and its answers can be set.

    Attributes:
        asked: method, path and body of each login.
        good: the header's value that is let in.
        lifetime: what the login says.
        answer: what the login answers instead.
        revoked: whether every login is refused.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.good = ""
        self.lifetime: object = 3600
        self.answer: web.Response | None = None
        self.revoked = False

    async def __call__(self, request: web.Request) -> web.Response:
        if request.path == "/door/open":
            return await self._open(request)
        if self.revoked or request.headers.get("X-Door") != self.good:
            return json({"error": f"who is {dict(request.headers)}?"}, 401)
        return json({"id": 1})

    async def _open(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path, await request.text()))
        await asyncio.sleep(0.01)
        if self.answer is not None:
            answer = self.answer
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        self.good = f"Key session-key-{len(self.asked)}"
        data = {"session": {"key": f"session-key-{len(self.asked)}"}, "seconds": self.lifetime}
        return json({"ok": True, "data": data}, X_Session=f"header-key-{len(self.asked)}")


@pytest.fixture
def door() -> Door:
    return Door()


def contract(folder: Path, login: dict[str, Any]) -> Path:
    """Write a contract with a login."""
    path = folder / "lims_door.yaml"
    content = {
        "contract": 1,
        "system": "lims",
        "provider": "Door",
        "title": "A LIMS behind a door",
        "names": {"site": "north"},
        "authentication": {"login": login},
        "operations": {"read": {"path": "/samples"}},
    }
    path.write_text(yaml_text.dump(content), encoding="utf-8")
    return path


def auth(folder: Path, address: str, login: dict[str, Any] = LOGIN, on_token=None, **settings: Any) -> TokenAuth:
    given = {"auth_type": "login", "username": USER, "password": SECRET, "contract": contract(folder, login)}
    config = system_config("lims", address, **{**given, **settings})
    made = make_auth(config, load_contract(config.contract, config.mappings), on_token)
    assert isinstance(made, TokenAuth)
    return made


def everything_said(error: BaseException) -> str:
    return repr(error) + str(error) + "".join(traceback.format_exception(error)) + repr(error.__dict__)


async def many(session, number: int = 16):
    calls = (session.request("POST", f"/samples/{place}", json={}) for place in range(number))
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_the_login_is_sent_as_the_contract_says_and_its_token_with_every_request(
    serve, open_session, door, tmp_path
):
    server = await serve(door)
    tokens: list[str] = []
    session = open_session(server.address, auth(tmp_path, server.address, on_token=tokens.append))
    assert {response.status for response in await many(session)} == {200}
    ((method, path, body),) = door.asked
    assert (method, path) == ("PUT", "/door/open")
    assert text.loads(body) == {"account": {"name": USER, "word": SECRET}, "site": "north"}
    assert {seen.headers.get("X-Door") for seen in server.seen[1:]} == {"Key session-key-1"}
    assert not any("Authorization" in seen.headers for seen in server.seen)
    assert tokens == ["session-key-1"]


async def test_a_site_may_call_a_part_of_the_login_otherwise(serve, open_session, door, tmp_path):
    server = await serve(door)
    made = auth(tmp_path, server.address, mappings={"site": "south"})
    await open_session(server.address, made).request("GET", "/samples")
    assert text.loads(door.asked[0][2])["site"] == "south"


async def test_a_password_that_looks_like_a_placeholder_is_sent_as_it_is(serve, open_session, door, tmp_path):
    server = await serve(door)
    made = auth(tmp_path, server.address, password="{username}&a=b\\")
    await open_session(server.address, made).request("GET", "/samples")
    assert text.loads(door.asked[0][2])["account"]["word"] == "{username}&a=b\\"


async def test_a_form_is_a_form_and_the_token_may_be_in_a_header(serve, open_session, door, tmp_path):
    login = {
        "path": "/door/open",
        "body": {"u": "{username}", "p": "{password}"},
        "form": True,
        "token": {"header": "X-Session"},
    }
    server = await serve(door)
    session = open_session(server.address, auth(tmp_path, server.address, login, password="a&b=c d"))
    with pytest.raises(AuthenticationError):
        await session.request("GET", "/samples")
    opened, called, *_ = server.seen
    assert (opened.method, opened.headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert dict(parse_qsl(opened.body.decode())) == {"u": USER, "p": "a&b=c d"}
    assert called.headers["Authorization"] == "Bearer header-key-1"


@pytest.mark.parametrize(
    ("lifetime", "granted", "seconds"), [("data.seconds", 600, 540), (10, 600, 8), (None, 600, 3540)]
)
async def test_the_lifetime_is_the_answers_or_the_contracts_or_an_hour(
    serve, open_session, door, tmp_path, lifetime, granted, seconds
):
    login = {name: value for name, value in LOGIN.items() if name != "lifetime"}
    login |= {} if lifetime is None else {"lifetime": lifetime}
    door.lifetime = granted
    server = await serve(door)
    made = auth(tmp_path, server.address, login)
    await open_session(server.address, made).request("GET", "/samples")
    assert made._renew_at - clock.seconds() == pytest.approx(seconds, abs=1)


async def test_a_token_is_renewed_when_it_expires_without_a_refusal(serve, open_session, door, tmp_path):
    door.lifetime = 0.5
    server = await serve(door)
    made = auth(tmp_path, server.address)
    session = open_session(server.address, made)
    await session.request("GET", "/samples")
    await session.request("GET", "/samples")
    assert len(door.asked) == 1
    await asyncio.sleep(made._renew_at - clock.seconds() + 0.01)
    await session.request("GET", "/samples")
    assert server.paths() == ["/door/open", "/samples", "/samples", "/door/open", "/samples"]


async def test_a_token_that_is_refused_is_renewed_once_for_all(serve, open_session, door, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server = await serve(door)
    session = open_session(server.address, auth(tmp_path, server.address))
    await session.request("GET", "/samples")
    door.good = "Key another"
    assert {response.status for response in await many(session)} == {200}
    assert len(door.asked) == 2
    assert not any(secret in caplog.text for secret in (SECRET, "session-key"))


async def test_a_token_that_is_refused_under_a_200_is_renewed_by_a_rule(serve, open_session, door, tmp_path):
    async def polite(request: web.Request) -> web.Response:
        answer = await door(request)
        return json({"error": "SESSION_EXPIRED"}) if answer.status == 401 else answer

    server = await serve(polite)
    session = open_session(server.address, auth(tmp_path, server.address))
    path = tmp_path / "lims_door.yaml"
    content = yaml_text.read(path)
    rule = {"status": 200, "at": "error", "equals": "SESSION_EXPIRED", "verdict": "authentication"}
    path.write_text(yaml_text.dump({**content, "errors": {"rules": [rule]}}))
    classify = load_contract(path).classify("read")
    await session.request("GET", "/samples", classify=classify)
    door.good = "Key another"
    assert (await session.request("GET", "/samples", classify=classify)).json() == {"id": 1}
    assert len(door.asked) == 2


async def test_a_new_token_that_is_refused_too_is_the_end(serve, open_session, door, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    door.revoked = True
    server = await serve(door)
    with pytest.raises(AuthenticationError, match="new token") as raised:
        await open_session(server.address, auth(tmp_path, server.address)).request("POST", "/samples", json={})
    assert len(door.asked) == 2
    assert "session-key" not in caplog.text + everything_said(raised.value)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (json({"ok": False, "why": f"{SECRET} is wrong"}), "CREDENTIALS_REFUSED"),
        (json({"ok": True, "data": {"session": {"key": "k"}}, "note": "the account is locked"}), "CREDENTIALS_REFUSED"),
        (json({"error": f"{SECRET} is wrong"}, 401), "CREDENTIALS_REFUSED"),
        (json({"error": f"{SECRET} is wrong"}, 422), "CREDENTIALS_REFUSED"),
        (json({"ok": True, "data": {"other": SECRET}}), "TOKEN_MISSING"),
        (json({"ok": True, "data": {"session": {"key": {"a": SECRET}}}}), "TOKEN_MISSING"),
        (json({"ok": True, "data": {"session": {"key": True}}}), "TOKEN_MISSING"),
        (json([SECRET]), "TOKEN_MISSING"),
        (json({"ok": True, "data": {"session": {"key": f"a\r\nX-Evil: {SECRET}"}}}), "TOKEN_UNREADABLE"),
        (web.Response(body=f"<html>{SECRET}</html>".encode()), "TOKEN_UNREADABLE"),
    ],
)
async def test_a_refusal_is_an_authentication_error_without_a_secret(
    serve, open_session, door, tmp_path, caplog, answer, code
):
    caplog.set_level(logging.DEBUG)
    door.answer = answer
    server = await serve(door)
    errors = await many(open_session(server.address, auth(tmp_path, server.address)), 4)
    assert {(type(error), error.code) for error in errors} == {(AuthenticationError, code)}
    assert SECRET not in caplog.text + "".join(map(everything_said, errors))
    assert len(door.asked) == 1
    assert set(server.paths()) == {"/door/open"}


async def test_a_login_that_is_out_of_order_is_tried_again_and_says_no_secret(
    serve, open_session, door, tmp_path, caplog
):
    caplog.set_level(logging.DEBUG)
    door.answer = json({"error": SECRET}, 500)
    server = await serve(door)
    session = open_session(server.address, auth(tmp_path, server.address), attempts=2)
    with pytest.raises(NetworkError) as raised:
        await session.request("POST", "/samples", json={})
    assert len(door.asked) == 2
    assert SECRET not in caplog.text + everything_said(raised.value)


def test_a_login_that_the_contract_does_not_describe_is_said(tmp_path):
    path = contract(tmp_path, LOGIN)
    content = yaml_text.read(path)
    del content["authentication"]
    path.write_text(yaml_text.dump(content))
    config = system_config(
        "lims", "http://127.0.0.1:1", auth_type="login", username="u", password=SECRET, contract=path
    )
    with pytest.raises(ConfigError, match=r"authentication\.login") as raised:
        make_auth(config, load_contract(path))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("lacking", ["username", "password"])
def test_a_login_needs_name_and_password(lacking):
    given = {"username": "u", "password": SECRET, lacking: ""}
    with pytest.raises(ConfigError, match=lacking):
        system_config("lims", "http://127.0.0.1:1", auth_type="login", **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "/door/{password}"}, "path: can't have a placeholder"),
        ({"body": {"a": "{username}"}}, "body: has no {password}"),
        ({"body": {"a": ["{passwrod}", "{password}"]}}, "{passwrod}.*did you mean 'password'"),
        ({"form": True}, "body: a form has no nested values"),
        ({"value": "Key"}, "value: must name {token} once"),
        ({"value": "{token} {password}"}, "value: must name {token} once"),
        ({"token": {"cookie": "SID"}}, "cookie: unknown key"),
        ({"lifetime": 0}, "lifetime"),
        ({"method": "GET"}, "method"),
        ({"refused": {"equals": False}}, "refused"),
        ({"header": "X Door"}, "the name of a header"),
    ],
)
def test_a_login_that_cannot_work_is_refused_when_the_contract_is_loaded(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message) as raised:
        load_contract(contract(tmp_path, {**LOGIN, **change}))
    assert "lims_door.yaml:" in str(raised.value)
