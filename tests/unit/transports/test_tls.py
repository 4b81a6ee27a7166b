"""Shows that the system is always verified, and gets a certificate of ours where it wants one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pv_testing.core.errors import AmbiguousOutcome, ConfigError, NetworkError, SecurityError
from pv_testing.transports.auth import ClientCredentials
from pv_testing.transports.tls import Tls
from tests.unit.transports.certificates import Authority, Files
from tests.unit.transports.servers import json

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder) -> Authority:
    return Authority(folder, "Laboratory")


@pytest.fixture(scope="module")
def stranger(folder) -> Authority:
    return Authority(folder, "Stranger")


@pytest.fixture(scope="module")
def server_files(authority) -> Files:
    return authority.issue("lims")


@pytest.fixture(scope="module")
def client_files(authority) -> Files:
    return authority.issue("integration")


async def test_a_private_authority_is_trusted_where_it_is_named(serve, open_session, authority, server_files):
    server = await serve(json({"id": 1}), tls=authority.server(server_files))
    session = open_session(server.address, tls=Tls(authority.file))
    assert (await session.request("POST", "/samples", json={})).json() == {"id": 1}


@pytest.mark.parametrize("named", [False, True])
async def test_an_authority_that_is_not_named_is_not_trusted(
    serve, open_session, authority, stranger, server_files, named
):
    server = await serve(json({"id": 1}), tls=authority.server(server_files))
    session = open_session(server.address, tls=Tls(stranger.file if named else ""))
    with pytest.raises(SecurityError, match="not trusted") as raised:
        await session.request("POST", "/samples", json={})
    assert raised.value.code == "CERTIFICATE_UNTRUSTED"
    assert server.seen == []


async def test_a_certificate_of_another_host_is_not_trusted(serve, open_session, authority):
    server = await serve(json({"id": 1}), tls=authority.server(authority.issue("elsewhere", "127.0.0.2")))
    with pytest.raises(SecurityError, match="not trusted"):
        await open_session(server.address, tls=Tls(authority.file)).request("GET", "/samples")
    assert server.seen == []


async def test_a_client_certificate_is_shown(serve, open_session, authority, server_files, client_files):
    server = await serve(json({"id": 1}), tls=authority.server(server_files, clients=authority))
    tls = Tls(authority.file, client_files.certificate, client_files.key)
    assert (await open_session(server.address, tls=tls).request("POST", "/samples", json={})).json() == {"id": 1}


@pytest.fixture
def strict(authority, server_files) -> Iterator[Callable[[ssl.TLSVersion], str]]:
    """Give a function that starts a server which tells clients without a good certificate so, as OpenSSL does."""
    listening: list[socket.socket] = []

    def answer(context: ssl.SSLContext, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as talk:
                talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" if talk.recv(1000) else b"")

    def start(version: ssl.TLSVersion) -> str:
        context = authority.server(server_files, clients=authority)
        context.maximum_version = version
        listening.append(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=answer, args=(context, listening[-1]), daemon=True).start()
        return f"https://127.0.0.1:{listening[-1].getsockname()[1]}"

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.parametrize("shown", [False, True])
async def test_a_client_that_the_system_does_not_trust_is_told_so(open_session, strict, authority, stranger, shown):
    files = stranger.issue("intruder")
    tls = Tls(authority.file, files.certificate, files.key) if shown else Tls(authority.file)
    session = open_session(strict(ssl.TLSVersion.TLSv1_2), tls=tls)
    with pytest.raises(SecurityError, match="client_cert") as raised:
        await session.request("POST", "/samples", json={})
    assert raised.value.code == "CERTIFICATE_REFUSED"


@pytest.mark.parametrize(("method", "error"), [("GET", NetworkError), ("POST", AmbiguousOutcome)])
async def test_where_tls_1_3_tells_it_after_the_handshake_the_connection_is_broken(
    open_session, strict, authority, method, error
):
    session = open_session(strict(ssl.TLSVersion.TLSv1_3), tls=Tls(authority.file), attempts=2)
    with pytest.raises(error, match="broke off"):
        await session.request(method, "/samples", json={})


async def test_a_system_without_tls_is_told_apart(serve, open_session, authority):
    server = await serve(json({}))
    with pytest.raises(SecurityError, match="doesn't speak TLS"):
        await open_session(server.address.replace("http:", "https:")).request("POST", "/samples", json={})


async def test_a_client_certificate_and_a_token_together(serve, open_session, authority, server_files, client_files):
    async def handle(request):
        assert request.transport.get_extra_info("peercert")["subject"][0][0][1] == "integration"
        if request.path == "/oauth/token":
            return json({"access_token": "token-1", "expires_in": 60})
        return json({"id": 1}, 200 if request.headers["Authorization"] == "Bearer token-1" else 401)

    server = await serve(handle, tls=authority.server(server_files, clients=authority))
    tls = Tls(authority.file, client_files.certificate, client_files.key)
    auth = ClientCredentials(f"{server.address}/oauth/token", "client", "secret")
    assert (await open_session(server.address, auth, tls=tls).request("POST", "/samples", json={})).status == 200
    assert server.paths() == ["/oauth/token", "/samples"]


@pytest.mark.parametrize("name", ["ca_cert", "client_cert", "client_key"])
async def test_a_file_that_is_missing_is_named(open_session, authority, client_files, name):
    files = {"ca_cert": authority.file, "client_cert": client_files.certificate, "client_key": client_files.key}
    session = open_session("https://127.0.0.1:1", tls=Tls(**{**files, name: "/nowhere/x.pem"}))
    with pytest.raises(ConfigError, match=f"{name}: there is no file /nowhere/x.pem"):
        await session.request("GET", "/samples")


async def test_files_that_are_not_what_they_should_be_are_a_mistake_in_the_configuration(
    open_session, authority, server_files, client_files, folder
):
    locked = authority.issue("locked", password=b"hunter2")
    junk = folder / "junk.pem"
    junk.write_text("junk")
    for tls in (
        Tls(str(junk)),
        Tls(authority.file, str(junk), client_files.key),
        Tls(authority.file, client_files.certificate, server_files.key),
        Tls(authority.file, client_files.certificate),
        Tls(authority.file, locked.certificate, locked.key),
        Tls(authority.file, "", client_files.key),
    ):
        with pytest.raises(ConfigError, match="client_key"):
            await open_session("https://127.0.0.1:1", tls=tls).request("GET", "/samples")


async def test_no_old_version_of_tls_is_spoken(authority):
    context = Tls(authority.file).context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
