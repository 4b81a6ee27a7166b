"""The signature of STARLIMS: known answers by other code than the product's, and what is signed on a real socket."""

from __future__ import annotations

import binascii
import hmac
import logging
import re
import string
from datetime import datetime, timedelta, timezone

import pytest
from aiohttp import web

from pv_testing.core.errors import AuthenticationError, ConfigError
from pv_testing.transports.rest import RestSession, RestSettings
from pv_testing.transports.starlims import StarlimsSignature

KEY, SECRET = "AK-0815", "s3cr3t/with+signs"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SAFE = set(string.ascii_letters + string.digits)


def by_the_rule(url: str, method: str, api_method: str, moment: str, body: bytes, *, lower: bool = False) -> str:
    """Return the signature as the documented rule says, by other means than the product's."""
    lines = [*(line.encode() for line in (url, method, KEY, api_method, moment)), body]
    digest = hmac.digest(SECRET.encode(), b"\n".join(lines), "sha256")
    text = binascii.b2a_base64(digest, newline=False).decode()
    return "".join(c if c in SAFE else f"%{ord(c):{'02x' if lower else '02X'}}" for c in text)


def signature(**options: str) -> StarlimsSignature:
    return StarlimsSignature(KEY, SECRET, "https://lims.example/App/rest.web.api", **options)


@pytest.mark.parametrize(
    ("url", "method", "api_method", "body"),
    [
        ("https://lims.example/App/rest.web.api/v1/pv/samples", "GET", "", b""),
        ("https://lims.example/App/rest.web.api/v1/pv/samples?project_id=SR-1&status=In+Lab", "GET", "", b""),
        ("http://lims.example/App/rest.web.api/v1/pv/samples", "POST", "", '{"unit":"µA","text":"a\\nb"}'.encode()),
        ("http://lims.example/App/rest.web.api/v1/pv/samples", "POST", "create", b'{"a": 1}'),
    ],
)
@pytest.mark.parametrize("hex_case", ["upper", "lower"])
def test_known_answers(url: str, method: str, api_method: str, body: bytes, hex_case: str) -> None:
    moments = [f"2026-11-29T07:20:0{second}.000Z" for second in range(10)]
    signed = signature(hex_case=hex_case, method=api_method)
    made = [signed.signature(url, method, moment, body) for moment in moments]
    assert made == [by_the_rule(url, method, api_method, moment, body, lower=hex_case == "lower") for moment in moments]
    assert {mark for each in made for mark in re.findall("%..", each)} & {"%2B", "%2F", "%2b", "%2f"}


def test_an_answer_that_openssl_gave() -> None:
    """``printf '…' | openssl dgst -sha256 -hmac SECRET -binary | base64``, with the six lines of the rule."""
    url = "https://lims.example/App/rest.web.api/v1/pv/samples"
    assert (
        signature().signature(url, "GET", "2026-11-29T07:20:00.000Z", b"")
        == "OHeps1E4UeBm5MB6R7XZiH1Rg5yIulBUqcJc3prIqKQ%3D"
    )


class Judge:
    """Answers 503 to the first requests, and keeps all of them as they came."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen.append((request.method, f"http://{request.host}{request.raw_path}", dict(request.headers), body))
        return web.json_response({"ok": True}, status=503 if len(self.seen) <= self.failures else 200)


def session(base_url: str, **options: str) -> RestSession:
    settings = RestSettings(base_url=base_url, system="lims", provider="STARLIMS", backoff=0.01)
    return RestSession(settings, StarlimsSignature(KEY, SECRET, base_url, **options))


@pytest.mark.anyio
async def test_each_attempt_is_signed_anew_over_what_is_on_the_wire(serve) -> None:
    judge = Judge(failures=2)
    server = await serve(judge)
    async with session(
        f"{server.address}/App/rest.web.api", method="create", impersonate="ada@lab.example", session="S-77"
    ) as client:
        params = {"project_id": "SR-1/µ & ü", "q": "a+b c"}
        await client.request("POST", "/v1/pv/samples", params=params, json={"µ": [1, 2.50]}, repeatable=True)
    assert len(judge.seen) == 3
    for method, url, headers, body in judge.seen:
        moment = headers["SL-API-Timestamp"]
        assert MOMENT.fullmatch(moment)
        age = datetime.now(timezone.utc) - datetime.fromisoformat(moment.replace("Z", "+00:00"))
        assert abs(age) < timedelta(seconds=60)
        assert headers["SL-API-Signature"] == by_the_rule(url, method, "create", moment, body)
        named = [headers[f"SL-API-{name}"] for name in ("Auth", "Method", "Email")]
        assert [*named, headers["STARLIMSsessionId"]] == [KEY, "create", "ada@lab.example", "S-77"]
    assert len({headers["SL-API-Timestamp"] for _, _, headers, _ in judge.seen}) == 3


@pytest.mark.anyio
async def test_the_address_that_the_server_sees_is_signed(serve) -> None:
    judge = Judge()
    server = await serve(judge)
    behind = "http://starlims.internal:8080/LIMS/rest.web.api/"
    async with session(f"{server.address}/public/rest.web.api", server_url=behind) as client:
        await client.request("GET", "/v1/pv/samples", params={"status": "x"})
    (method, _, headers, body) = judge.seen[0]
    url = "http://starlims.internal:8080/LIMS/rest.web.api/v1/pv/samples?status=x"
    assert headers["SL-API-Signature"] == by_the_rule(url, method, "", headers["SL-API-Timestamp"], body)
    assert "SL-API-Method" not in headers
    assert not {"SL-API-Email", "STARLIMSsessionId"} & headers.keys()


@pytest.mark.anyio
async def test_a_refused_signature_says_so_without_the_secret(serve, caplog) -> None:
    caplog.set_level(logging.DEBUG)

    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"message": f"bad signature for {KEY} {SECRET}"}, status=401)

    server = await serve(refuse)
    async with session(server.address) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.request("GET", "/v1/pv/samples")
    told = f"{caught.value} {caught.value.excerpt} {caplog.text} {client.auth!r}"
    assert SECRET not in told


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(ConfigError, match="upper or lower"):
        signature(hex_case="Upper")


@pytest.mark.anyio
async def test_a_request_for_credentials_is_not_signed(serve) -> None:
    judge = Judge()
    server = await serve(judge)
    async with session(server.address) as client:
        await client.unauthenticated("POST", "/login", json={})
    assert not [name for name in judge.seen[0][2] if name.startswith("SL-API")]
