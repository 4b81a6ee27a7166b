"""Shows that every way to say who asks is understood by a server, and that a token is fetched once for all who wait."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import time
import traceback

import pytest
from aiohttp import web

from pv_testing.core import clock, lease
from pv_testing.core.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    ConfigError,
    DeadlineExceeded,
    NetworkError,
    PermissionDenied,
    RateLimited,
)
from pv_testing.transports.auth import SKEW, Auth, ClientCredentials, JwtLogin, TokenAuth, api_key, basic, bearer
from pv_testing.transports.limits import Rate
from tests.unit.transports.servers import json

pytestmark = pytest.mark.anyio
SECRET = "s3cr3t-not-to-be-seen"


class Lab:
    """Hands out numbered tokens and accepts only the newest one; its answers can be set.

    Attributes:
        asked: path and body of every request for a token.
        lifetime: what ``expires_in`` says.
        denied: paths of token endpoints that refuse.
        good: the token that is accepted.
        slow: seconds that a token takes.
        lag: seconds that a refusal of the first sample takes.
        revoked: whether no token is accepted.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.lifetime: object = 3600
        self.denied: set[str] = set()
        self.good = ""
        self.slow = 0.0
        self.lag = 0.0
        self.revoked = False

    async def __call__(self, request: web.Request) -> web.Response:
        if request.path in {"/oauth/token", "/auth/login", "/auth/refresh"}:
            return await self._token(request)
        if request.headers.get("Authorization") != f"Bearer {self.good}" or self.revoked:
            await asyncio.sleep(self.lag if request.path == "/samples/0" else 0)
            return json({"error": {"message": "token expired"}}, 401)
        return json({"id": 1})

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, await request.text()))
        await asyncio.sleep(self.slow)
        if request.path in self.denied:
            return json({"error": "invalid_client", "error_description": f"{SECRET} is wrong"}, 401)
        self.good = f"token-{len(self.asked)}"
        refresh = {} if request.path == "/oauth/token" else {"refresh_token": f"refresh-{len(self.asked)}"}
        return json({"access_token": self.good, "expires_in": self.lifetime, "token_type": "bearer", **refresh})


@pytest.fixture
def lab() -> Lab:
    return Lab()


def oauth(address: str = "", **options) -> TokenAuth:
    return ClientCredentials(f"{address}/oauth/token", "client", SECRET, ("read:samples", "write:samples"), **options)


def login(_: str = "", **options) -> TokenAuth:
    return JwtLogin("lab-service", SECRET, **options)


async def many(session, number: int = 16):
    return await asyncio.gather(
        *(session.request("POST", f"/samples/{place}", json={}) for place in range(number)), return_exceptions=True
    )


def everything_said(error: BaseException) -> str:
    return repr(error) + str(error) + "".join(traceback.format_exception(error)) + repr(error.__dict__)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (api_key("k-1"), "X-API-Key", "k-1"),
        (api_key("k-1", "Authorization"), "Authorization", "k-1"),
        (basic("lab", "pä:ss"), "Authorization", "Basic " + base64.b64encode("lab:pä:ss".encode()).decode()),
        (bearer("t-1"), "Authorization", "Bearer t-1"),
    ],
)
async def test_a_fixed_credential_is_in_its_header_and_a_refusal_is_final(serve, open_session, auth, header, value):
    server = await serve(json({"id": 1}), json({"message": "who are you?"}, 401))
    session = open_session(server.address, auth)
    await session.request("GET", "/me")
    assert server.seen[0].headers[header] == value
    with pytest.raises(AuthenticationError, match="who are you"):
        await session.request("GET", "/me")
    assert len(server.seen) == 2


async def test_without_credentials_none_are_sent(serve, open_session):
    server = await serve(json({}), json({}, 401))
    session = open_session(server.address, Auth())
    await session.request("GET", "/me")
    assert not {"Authorization", "X-API-Key", "Cookie"} & set(server.seen[0].headers)
    with pytest.raises(AuthenticationError):
        await session.request("GET", "/me")
    assert len(server.seen) == 2


async def test_a_missing_permission_is_told_apart(serve, open_session):
    server = await serve(json({"message": "scope write:samples is missing"}, 403))
    with pytest.raises(PermissionDenied, match="write:samples"):
        await open_session(server.address, api_key("k")).request("POST", "/samples", json={})


@pytest.mark.parametrize("key", ["key\n", "a\r\nX-Evil: 1", "ключ", " key", "key\0"])
def test_a_key_that_no_header_can_say_is_a_mistake_in_the_configuration(key):
    with pytest.raises(ConfigError) as raised:
        api_key(key)
    assert key not in str(raised.value)


async def test_a_cookie_is_not_kept(serve, open_session):
    server = await serve(json({}, Set_Cookie="session=1; Path=/"), json({}))
    session = open_session(server.address.replace("127.0.0.1", "localhost"))
    await session.request("GET", "/a")
    await session.request("GET", "/b")
    assert "Cookie" not in server.seen[1].headers


@pytest.mark.parametrize("way", [oauth, login])
async def test_concurrent_calls_fetch_one_token_and_renew_it_once(serve, open_session, lab, way):
    lab.slow = 0.02
    server = await serve(lab)
    tokens: list[str] = []
    session = open_session(server.address, way(server.address, on_token=tokens.append))
    assert {response.status for response in await many(session)} == {200}
    assert len(lab.asked) == 1
    lab.good = "another"
    assert {response.status for response in await many(session)} == {200}
    assert len(lab.asked) == 2
    assert [token for token in tokens if token.startswith("token")] == ["token-1", "token-2"]


async def test_a_refusal_that_comes_after_the_renewal_needs_no_other_one(serve, open_session, lab):
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address))
    await session.request("GET", "/samples")
    lab.good, lab.lag = "another", 0.1
    assert {response.status for response in await many(session)} == {200}
    assert len(lab.asked) == 2


async def test_oauth_sends_grant_scopes_and_secret_as_the_standard_says(serve, open_session, lab):
    server = await serve(lab)
    await open_session(server.address, oauth(server.address)).request("GET", "/samples")
    asked, called = server.seen
    assert asked.body == b"grant_type=client_credentials&scope=read%3Asamples+write%3Asamples"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["Authorization"] == basic("client", SECRET).current()["Authorization"]
    assert called.headers["Authorization"] == "Bearer token-1"


async def test_the_token_endpoint_may_be_elsewhere_and_is_limited_by_itself(serve, open_session, lab):
    identity, system = await serve(json({}, 503, Retry_After="0.2"), lab), await serve(lab)
    told: list[float] = []
    session = open_session(system.address, oauth(identity.address), on_pause=told.append, rate=Rate(1, 60))
    started = time.monotonic()
    assert (await session.request("GET", "/samples")).status == 200
    assert time.monotonic() - started >= 0.2
    assert (len(identity.seen), system.paths(), told) == (2, ["/samples"], [])


async def test_a_login_renews_with_its_refresh_token(serve, open_session, lab):
    server = await serve(lab)
    tokens: list[str] = []
    session = open_session(server.address, login(on_token=tokens.append))
    for _ in range(3):
        lab.good = "another"
        await session.request("GET", "/samples")
    assert [path for path, _ in lab.asked] == ["/auth/login", "/auth/refresh", "/auth/refresh"]
    assert [body for _, body in lab.asked[1:]] == ['{"refresh_token":"refresh-1"}', '{"refresh_token":"refresh-2"}']
    assert tokens == ["token-1", "refresh-1", "token-2", "refresh-2", "token-3", "refresh-3"]


async def test_a_login_is_made_anew_when_its_refresh_token_is_refused(serve, open_session, lab):
    server = await serve(lab)
    session = open_session(server.address, login())
    await session.request("GET", "/samples")
    lab.denied, lab.good = {"/auth/refresh"}, "another"
    assert (await session.request("POST", "/samples", json={})).status == 200
    assert [path for path, _ in lab.asked] == ["/auth/login", "/auth/refresh", "/auth/login"]


@pytest.mark.parametrize("way", [oauth, login])
async def test_refused_credentials_are_asked_about_once_and_the_secret_is_nowhere(
    serve, open_session, lab, way, caplog
):
    caplog.set_level(logging.DEBUG)
    lab.denied, lab.slow = {"/oauth/token", "/auth/login"}, 0.02
    server = await serve(lab)
    errors = await many(open_session(server.address, way(server.address)))
    assert {type(error) for error in errors} == {AuthenticationError}
    assert {error.code for error in errors} == {"CREDENTIALS_REFUSED"}
    assert len(lab.asked) == 1
    assert SECRET not in caplog.text + "".join(map(everything_said, errors))
    assert set(server.paths()) == {lab.asked[0][0]}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json({"message": f"{SECRET}?"}, 500), NetworkError),
        (json({"message": f"{SECRET}?"}, 429), RateLimited),
        (web.Response(body=f"<html>{SECRET}</html>".encode()), AuthenticationError),
        (json({"token": SECRET}), AuthenticationError),
        (json({"access_token": {"a": SECRET}}), AuthenticationError),
        (json([SECRET]), AuthenticationError),
        (json({}, 204), AuthenticationError),
    ],
)
async def test_a_token_endpoint_that_fails_is_told_without_what_it_says(serve, open_session, caplog, answer, error):
    caplog.set_level(logging.DEBUG)
    server = await serve(answer)
    with pytest.raises(error) as raised:
        await open_session(server.address, oauth(server.address), attempts=2).request("POST", "/samples", json={})
    assert SECRET not in caplog.text + everything_said(raised.value)
    assert set(server.paths()) == {"/oauth/token"}
    assert raised.value.system == "lims"


async def test_a_new_token_that_is_refused_too_is_the_end(serve, open_session, lab):
    lab.revoked = True
    server = await serve(lab)
    with pytest.raises(AuthenticationError, match="new token"):
        await open_session(server.address, oauth(server.address)).request("POST", "/samples", json={})
    assert server.paths() == ["/oauth/token", "/samples", "/oauth/token", "/samples"]


async def test_a_new_token_is_tried_on_the_last_attempt_too(serve, open_session, lab):
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address), attempts=1)
    await session.request("GET", "/samples")
    lab.good = "another"
    assert (await session.request("GET", "/samples")).status == 200


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [(3600, 3600 - SKEW), ("3600", 3600 - SKEW), (10, 8), (None, 3540), ("soon", 3540), (0, 3540), (-5, 3540)],
)
async def test_a_token_is_renewed_before_it_expires(serve, open_session, lab, lifetime, seconds):
    lab.lifetime = lifetime
    server = await serve(lab)
    auth = oauth(server.address)
    session = open_session(server.address, auth)
    await session.request("GET", "/samples")
    assert auth.current() is not None
    assert auth._renew_at - clock.seconds() == pytest.approx(seconds, abs=1)


async def test_a_short_lived_token_is_renewed_without_a_refusal(serve, open_session, lab):
    lab.lifetime = 0.5
    server = await serve(lab)
    auth = oauth(server.address)
    session = open_session(server.address, auth)
    await session.request("GET", "/samples")
    await session.request("GET", "/samples")
    assert len(lab.asked) == 1
    await asyncio.sleep(auth._renew_at - clock.seconds() + 0.01)
    await session.request("GET", "/samples")
    assert server.paths() == ["/oauth/token", "/samples", "/samples", "/oauth/token", "/samples"]


async def test_fetching_a_token_takes_no_longer_than_the_call_has(serve, open_session, lab):
    lab.slow = 5
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address))
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="token"):
        await session.request("POST", "/samples", json={}, timeout=0.2)
    assert time.monotonic() - started < 0.5
    assert server.paths() == ["/oauth/token"]


async def test_a_token_that_comes_late_is_not_used_in_haste(serve, open_session, lab):
    lab.slow = 0.38
    server = await serve(lab)
    with pytest.raises(DeadlineExceeded, match="nothing was sent"):
        await open_session(server.address, oauth(server.address)).request("POST", "/samples", json={}, timeout=0.4)
    assert server.paths() == ["/oauth/token"]


async def test_one_who_is_cancelled_takes_the_token_from_nobody(serve, open_session, lab):
    lab.slow = 0.1
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address))
    first, second = (asyncio.ensure_future(session.request("GET", "/samples")) for _ in range(2))
    await server.arrival()
    first.cancel()
    assert (await second).status == 200
    assert len(lab.asked) == 1


async def test_closing_ends_what_is_being_fetched(serve, open_session, lab):
    lab.slow = 60
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address))
    waiting = asyncio.ensure_future(session.request("GET", "/samples"))
    await server.arrival()
    await asyncio.wait_for(session.aclose(), 1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_token_that_ends_long_after_a_write_renewed_it_is_renewed_by_a_read(serve, open_session, lab):
    server = await serve(lab)
    session = open_session(server.address, oauth(server.address))
    await session.request("GET", "/samples")
    lab.good = "another"
    with lease.until(math.inf), pytest.raises(AmbiguousOutcome, match="renewed"):
        await session.request("POST", "/samples", json={})
    assert (await session.request("GET", "/samples")).status == 200
    lab.good = "another"
    assert (await session.request("GET", "/samples")).status == 200
    assert len(lab.asked) == 3
