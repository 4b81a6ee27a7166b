"""The ERP client says who asks by OAuth 2.0, by a client certificate, and by both, as the configuration file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pv_testing.config import load_config
from pv_testing.core.errors import AmbiguousOutcome, AuthenticationError, NetworkError, SecurityError
from pv_testing.integrations import ERPClient, connect
from tests.unit.transports.certificates import Authority
from tests.unit.transports.servers import WebServer

pytestmark = pytest.mark.anyio

TOKEN = "token-0815"
OAUTH = {"auth_type": "oauth2", "client_id": "pv-testing", "client_secret": "s3cret-words"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "Laboratory")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> dict[str, str]:
    files = authority.issue("integration")
    return {"client_cert": files.certificate, "client_key": files.key}


class Seen(list[tuple[str, str, str]]):
    """Path, subject of the client's certificate and authorization of each request."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        known = request.transport.get_extra_info("peercert") if request.transport else None
        subject = known["subject"][0][0][1] if known else ""
        scheme = request.headers.get("Authorization", "").partition(" ")[0]
        self.append((request.path, subject, scheme))
        if request.path == "/oauth/token":
            return web.json_response({"access_token": TOKEN, "expires_in": 60})
        if scheme and request.headers["Authorization"] != f"Bearer {TOKEN}":
            return web.json_response({"error": {"code": "TOKEN_EXPIRED", "message": "no such token"}}, status=401)
        return web.json_response({"user": "integration"})


def configured(path: Path, address: str, ca_cert: str, **settings: Any) -> ERPClient:
    """Return the client that a configuration file describes."""
    section = {"provider": "Custom", "base_url": f"{address}/api", "ca_cert": ca_cert, **settings}
    path.write_text(json.dumps({"erp": section}), encoding="utf-8")
    client = connect(load_config(path).systems["erp"])
    assert isinstance(client, ERPClient)
    return client


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("oauth2", [("/oauth/token", "", "Basic"), ("/api/me", "", "Bearer")]),
        ("mtls", [("/api/me", "integration", "")]),
        ("both", [("/oauth/token", "integration", "Basic"), ("/api/me", "integration", "Bearer")]),
        ("both, named mtls", [("/oauth/token", "integration", "Basic"), ("/api/me", "integration", "Bearer")]),
    ],
)
async def test_each_way(
    tmp_path: Path, authority: Authority, certificate: dict[str, str], way: str, expected: list[tuple[str, str, str]]
) -> None:
    settings = {
        "oauth2": OAUTH,
        "mtls": {"auth_type": "mtls", **certificate},
        "both": {**OAUTH, **certificate},
        "both, named mtls": {**OAUTH, **certificate, "auth_type": "mtls"},
    }[way]
    seen = Seen()
    clients = None if way == "oauth2" else authority
    async with (
        WebServer([seen.answer], tls=authority.server(authority.issue("erp"), clients=clients)) as server,
        configured(tmp_path / "c.yaml", server.address, authority.file, **settings) as erp,
    ):
        assert await erp.aidentity() == "integration"
    assert seen == expected


async def test_without_its_certificate_the_client_gets_nowhere(tmp_path: Path, authority: Authority) -> None:
    seen = Seen()
    async with (
        WebServer([seen.answer], tls=authority.server(authority.issue("erp"), clients=authority)) as server,
        configured(tmp_path / "c.yaml", server.address, authority.file, **OAUTH) as erp,
    ):
        with pytest.raises((SecurityError, NetworkError, AmbiguousOutcome)):
            await erp.aidentity()
    assert seen == []


async def test_a_wrong_secret_is_never_shown(tmp_path: Path, authority: Authority) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "invalid_client", "said": OAUTH["client_secret"]}, status=401)

    async with (
        WebServer([refuse], tls=authority.server(authority.issue("erp"))) as server,
        configured(tmp_path / "c.yaml", server.address, authority.file, **OAUTH) as erp,
    ):
        with pytest.raises(AuthenticationError) as raised:
            await erp.aidentity()
    assert raised.value.code == "CREDENTIALS_REFUSED"
    assert OAUTH["client_secret"] not in str(raised.value) + repr(erp.config)
