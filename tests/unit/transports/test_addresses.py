"""Shows that credentials go to the configured system only, over TLS unless it is this machine."""

from __future__ import annotations

import pytest
from aiohttp import web

from pv_testing.core.errors import AmbiguousOutcome, ConfigError, SecurityError
from pv_testing.transports.addresses import Addresses
from pv_testing.transports.auth import api_key
from tests.unit.transports.servers import json

BASE = "https://lims.company.com/api/v2"


def moved(where: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": where})


@pytest.mark.parametrize(
    "address",
    ["https://lims.company.com", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/x", "http://127.8.9.1"],
)
def test_an_address_with_tls_or_on_this_machine_is_taken(open_session, address):
    open_session(address)


@pytest.mark.parametrize("address", ["http://lims.company.com", "http://10.0.0.1/", "http://localhost.company.com"])
def test_an_address_without_tls_elsewhere_is_refused_unless_it_is_allowed(open_session, address):
    with pytest.raises(SecurityError, match="without TLS"):
        open_session(address)
    open_session(address, allow_http=True)


@pytest.mark.parametrize("address", ["https://me:hunter2@lims.company.com", "https://me@lims.company.com"])
def test_an_address_with_credentials_is_refused_and_they_are_not_told(open_session, address):
    with pytest.raises(SecurityError, match="credentials") as raised:
        open_session(address)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "address", ["", "lims.company.com", "ftp://x:hunter2@lims", "https://", "https://a:99999", "//x"]
)
def test_what_is_no_address_is_a_mistake_in_the_configuration(open_session, address):
    with pytest.raises(ConfigError, match="not an address") as raised:
        open_session(address)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        (BASE, "/samples", f"{BASE}/samples"),
        (BASE, "samples", f"{BASE}/samples"),
        (BASE + "/", "/samples", f"{BASE}/samples"),
        (BASE, "/api/v2/samples", f"{BASE}/samples"),
        (BASE, "/api/v20/x", f"{BASE}/api/v20/x"),
        (BASE, "//evil.com/x", f"{BASE}/evil.com/x"),
        (BASE, "/samples?q=http://x/../y", f"{BASE}/samples?q=http://x/../y"),
        (BASE, "/a%2Fb%2e", f"{BASE}/a%2Fb%2e"),
        (BASE, "/a b\r\nX: y", f"{BASE}/a%20b%0D%0AX:%20y"),
        (BASE, f"{BASE}/samples/1", f"{BASE}/samples/1"),
        (BASE, "https://lims.company.com:443/other", "https://lims.company.com/other"),
        ("https://lims.company.com", "/samples", "https://lims.company.com/samples"),
    ],
)
def test_paths_start_from_the_base(base, path, url):
    assert str(Addresses(base).of(path)) == url


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.com/x",
        "http://lims.company.com/x",
        "https://lims.company.com:8443/x",
        "https://lims.company.com.evil.com/",
        "https://me:pw@lims.company.com/x",
        "/../admin",
        "/samples/../../admin",
        "/samples/./x",
        "..\\admin",
    ],
)
def test_paths_lead_nowhere_else(path):
    with pytest.raises(SecurityError):
        Addresses(BASE).of(path)


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_read_follows_within_the_system(serve, open_session, status):
    server = await serve(moved("/api/v2/there?x=1", status), json({"id": 1}))
    session = open_session(server.address, api_key("key"))
    assert (await session.request("GET", "/here")).json() == {"id": 1}
    assert server.paths() == ["/here", "/api/v2/there"]
    assert server.seen[1].query == {"x": "1"}
    assert server.seen[1].headers["X-API-Key"] == "key"


@pytest.mark.anyio
async def test_a_read_follows_nowhere_else(serve, open_session):
    elsewhere = await serve(json({}))
    for where in (elsewhere.address + "/x", "https://127.0.0.1/x", "http://[", "//evil.invalid/x"):
        server = await serve(moved(where))
        with pytest.raises(SecurityError):
            await open_session(server.address, api_key("key")).request("GET", "/here")
        assert len(server.seen) == 1
    assert elsewhere.seen == []


@pytest.mark.anyio
@pytest.mark.parametrize("where", ["/here", ""])
async def test_a_circle_has_an_end(serve, open_session, where):
    server = await serve(moved(where))
    with pytest.raises(SecurityError, match="redirects"):
        await open_session(server.address).request("GET", "/here")
    assert len(server.seen) == 4


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_write_follows_nowhere(serve, open_session, status, method):
    server = await serve(moved("/there", status), json({}))
    unclear = method == "POST" and status in {302, 303}
    with pytest.raises(AmbiguousOutcome if unclear else SecurityError, match="redirects elsewhere"):
        await open_session(server.address).request(method, "/here", json={})
    assert server.paths() == ["/here"]


@pytest.mark.anyio
async def test_the_query_is_quoted(serve, open_session):
    server = await serve(json({}))
    await open_session(server.address).request("GET", "/x", params={"external_id": "a&b=c d/ü", "page": 2})
    assert server.seen[0].query == {"external_id": "a&b=c d/ü", "page": "2"}
