"""Shows that what must not be repeated is sent once, whatever the network does, and that a read is repeated."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from pv_testing.core import clock, lease
from pv_testing.core.classification import OK as GOOD
from pv_testing.core.classification import Classification, classify_http
from pv_testing.core.errors import (
    AmbiguousOutcome,
    Conflict,
    NetworkError,
    NotFound,
    RateLimited,
    Rejected,
    ResponseError,
    ServerUnavailable,
)
from pv_testing.core.records import Verdict
from tests.unit.transports.servers import OK, RawServer, Talk, hangs_up, is_silent, json, resets, says

pytestmark = pytest.mark.anyio

HTML = says(b"<html>Please log in</html>")
BROKEN: dict[str, Talk] = {
    "hangs up": hangs_up,
    "resets": resets,
    "is silent": is_silent,
    "truncated": says(b'{"id": "LIM', length=100),
    "html": HTML,
    "no http": lambda writer: _write(writer, b"SSH-2.0-OpenSSH\r\n\r\n"),
}


async def _write(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize(("method", "repeatable"), [("POST", None), ("PATCH", None), ("PUT", False), ("DELETE", False)])
async def test_what_must_not_be_repeated_is_sent_once_and_its_fate_is_unclear(
    serve_raw, open_session, what, method, repeatable
):
    server = await serve_raw(BROKEN[what], OK)
    session = open_session(server.address, attempt_timeout=0.1)
    with pytest.raises(AmbiguousOutcome) as raised:
        await session.request(method, "/samples", json={"a": 1}, repeatable=repeatable, operation="create", key="SR/1")
    assert len(server.seen) == 1
    assert (raised.value.system, raised.value.operation, raised.value.key) == ("lims", "create", "SR/1")


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize(("method", "repeatable"), [("GET", None), ("PUT", None), ("POST", True)])
async def test_what_may_be_repeated_is(serve_raw, open_session, what, method, repeatable):
    server = await serve_raw(BROKEN[what], BROKEN[what], OK)
    session = open_session(server.address, attempt_timeout=0.1)
    response = await session.request(method, "/samples", repeatable=repeatable)
    assert response.json() == {"id": "LIM-000001"}
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("what", "error"), [("hangs up", NetworkError), ("truncated", NetworkError), ("html", ResponseError)]
)
async def test_a_read_is_given_up_after_its_attempts(serve_raw, open_session, what, error):
    server = await serve_raw(BROKEN[what])
    with pytest.raises(error):
        await open_session(server.address, attempts=3).request("GET", "/samples")
    assert len(server.seen) == 3


@pytest.mark.parametrize(("method", "repeatable"), [("GET", None), ("PUT", False), ("POST", None), ("DELETE", False)])
async def test_nothing_is_sent_again_behind_our_back_when_an_idle_connection_breaks(
    serve_raw, open_session, method, repeatable
):
    server = await serve_raw(OK, hangs_up, OK)
    session = open_session(server.address, attempts=1)
    await session.request("GET", "/first")
    with pytest.raises(NetworkError if method == "GET" else AmbiguousOutcome):
        await session.request(method, "/second", repeatable=repeatable)
    assert [request.path for request in server.seen] == ["/first", "/second"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connection_took_no_effect(open_session, method):
    with pytest.raises(NetworkError, match="can't be reached") as raised:
        await open_session(closed_port()).request(method, "/samples", json={})
    assert not isinstance(raised.value, AmbiguousOutcome)


async def test_a_refused_connection_is_tried_again_and_what_must_not_be_repeated_is_sent_once(open_session):
    address = closed_port()
    session = open_session(address, backoff=0.3, attempts=8)
    sending = asyncio.ensure_future(session.request("POST", "/samples", json={}))
    await asyncio.sleep(0.1)
    assert not sending.done()
    server = RawServer([OK])
    async with server.at(int(address.rsplit(":")[-1])):
        assert (await sending).status == 200
    assert len(server.seen) == 1


async def test_a_connection_that_never_stands_took_no_effect(open_session):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        crowd = [socket.socket() for _ in range(3)]
        try:
            for one in crowd:
                one.setblocking(False)
                one.connect_ex(address)
            await asyncio.sleep(0.05)
            session = open_session(f"http://127.0.0.1:{address[1]}", attempt_timeout=0.2, attempts=2)
            with pytest.raises(NetworkError, match="can't be reached"):
                await session.request("POST", "/samples", json={})
        finally:
            for one in crowd:
                one.close()


async def test_a_tls_handshake_that_never_ends_took_no_effect(open_session):
    async with RawServer([OK]) as server:
        address = server.address.replace("http:", "https:")
        with pytest.raises(NetworkError, match="can't be reached"):
            await open_session(address, attempt_timeout=0.2, attempts=2).request("POST", "/samples", json={})
        assert server.seen == []


async def test_an_unknown_name_took_no_effect(open_session, monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NetworkError, match="can't be reached"):
        await open_session("https://lims.invalid", attempts=2).request("POST", "/samples", json={})


@pytest.mark.parametrize("status", [500, 502, 504, 408])
async def test_a_server_error_leaves_unclear_what_must_not_be_repeated(serve, open_session, status):
    server = await serve(json({"message": "disk full"}, status), json({"id": 1}))
    session = open_session(server.address)
    with pytest.raises(AmbiguousOutcome, match="disk full"):
        await session.request("POST", "/samples", json={})
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
async def test_a_server_error_lets_a_read_be_repeated(serve, open_session, status):
    server = await serve(json({}, status), json({}, status), json({"id": 1}))
    assert (await open_session(server.address).request("GET", "/samples")).json() == {"id": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [429, 503, 425])
@pytest.mark.parametrize(("method", "repeatable"), [("PUT", None), ("DELETE", None), ("POST", True)])
async def test_what_was_not_processed_is_sent_again_where_that_does_no_harm(
    serve, open_session, status, method, repeatable
):
    server = await serve(json({}, status), json({"id": 1}, 201))
    session = open_session(server.address)
    assert (await session.request(method, "/samples", json={}, repeatable=repeatable)).status == 201
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [429, 503, 425])
@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0.01"}], ids=["", "for a while"])
async def test_what_must_not_be_repeated_is_not_sent_again_on_a_status_that_a_proxy_can_give(
    serve, open_session, status, headers
):
    server = await serve(json({"message": "busy"}, status, **headers), json({"id": 1}, 201))
    with pytest.raises(AmbiguousOutcome, match=rf"HTTP {status}: busy; the request may have taken effect"):
        await open_session(server.address).request("POST", "/samples", json={})
    assert len(server.seen) == 1


@pytest.mark.parametrize("promised", [True, False])
async def test_what_must_not_be_repeated_is_sent_again_on_the_contracts_word(serve, open_session, promised):
    def classify(response, repeatable):
        return classify_http(response, repeatable)._replace(promised=promised)

    server = await serve(json({}, 503), json({"id": 1}, 201))
    sending = open_session(server.address).request("POST", "/samples", json={}, classify=classify)
    if promised:
        assert (await sending).status == 201
    else:
        with pytest.raises(AmbiguousOutcome):
            await sending
    assert len(server.seen) == 1 + promised


@pytest.mark.parametrize("status", [429, 503])
async def test_under_a_lease_the_exchange_looks_up_what_was_refused(serve, open_session, status):
    server = await serve(json({}, status))
    with (
        lease.until(clock.seconds() + 60),
        pytest.raises(RateLimited if status == 429 else ServerUnavailable) as raised,
    ):
        await open_session(server.address).request("POST", "/samples", json={})
    assert raised.value.may_have_effect
    assert len(server.seen) == 1


async def test_an_unavailable_system_is_given_up_after_the_attempts(serve, open_session):
    server = await serve(json({"detail": "back soon"}, 503))
    with pytest.raises(ServerUnavailable, match="back soon"):
        await open_session(server.address, attempts=2).request("PUT", "/samples/1", json={})
    assert len(server.seen) == 2


@pytest.mark.parametrize(("status", "error"), [(400, Rejected), (404, NotFound), (409, Conflict), (422, Rejected)])
async def test_a_refusal_is_final_and_told_in_the_systems_words(serve, open_session, status, error):
    body = {"error": {"code": "X", "message": "no such type", "details": [{"field": "sample_type"}]}}
    server = await serve(json(body, status))
    with pytest.raises(error, match=r"no such type.*sample_type"):
        await open_session(server.address).request("POST", "/samples", json={})
    assert len(server.seen) == 1


async def test_a_contract_judges_before_the_status(serve, open_session):
    def classify(response, repeatable):
        body = response.json()
        return GOOD if body["ok"] else Classification(Verdict.REJECTED, "BUSINESS", body["why"])

    server = await serve(json({"ok": False, "why": "closed"}), json({"ok": True}, 500))
    session = open_session(server.address)
    with pytest.raises(Rejected, match="closed") as raised:
        await session.request("POST", "/samples", json={}, classify=classify)
    assert raised.value.code == "BUSINESS"
    assert (await session.request("POST", "/samples", json={}, classify=classify)).status == 500


async def test_an_answer_without_body_is_none_and_a_file_is_left_as_it_is(serve, open_session):
    server = await serve(web.Response(status=204), web.Response(body=b"%PDF-1.7\xff"))
    session = open_session(server.address)
    assert (await session.request("DELETE", "/samples/1")).json() is None
    assert (await session.request("GET", "/file", decode=False)).body == b"%PDF-1.7\xff"


async def test_a_cancelled_request_stays_cancelled(serve_raw, open_session):
    server = await serve_raw(is_silent)
    session = open_session(server.address)
    sending = asyncio.ensure_future(session.request("POST", "/samples", json={}))
    await server.arrival()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(server.seen) == 1
