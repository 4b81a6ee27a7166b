"""A one-off call with Airflow's HTTP hook sends what authenticates and no other field of the connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hooks.lims import LIMSHook
from hooks.pm import PMHook
from pv_testing.core.errors import ConfigError, SecurityError
from tests.shipped import PROJECT
from tests.unit.transports.certificates import Authority


class Recorder(BaseHTTPRequestHandler):
    """Answers everything and keeps the headers that came."""

    def do_GET(self) -> None:
        """Keep the request."""
        self.server.seen.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    running.seen = []
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def call(monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, **fields: object) -> dict[str, str]:
    address = f"http://127.0.0.1:{server.server_port}/api/v2"
    monkeypatch.setenv("AIRFLOW_CONN_PV_LIMS", json.dumps({"conn_type": "pv_lims", "host": address, **fields}))
    LIMSHook().http().run("me")
    path, headers = server.seen[-1]
    assert path == "/api/v2/me"
    return headers


def test_an_api_key_goes_into_its_header_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer
) -> None:
    extra = {
        "auth_type": "api_key",
        "api_key": "key-1",
        "api_key_header": "X-Lab",
        "client_secret": "hidden",
        "ca_cert": "/x",
    }
    headers = call(monkeypatch, server, extra=extra)
    assert headers["X-Lab"] == "key-1"
    assert "hidden" not in json.dumps(headers)
    assert not {"auth_type", "client_secret", "ca_cert", "Authorization"} & set(headers)


@pytest.mark.parametrize(("auth_type", "start"), [("basic", "Basic cHY6c2VjcmV0"), ("bearer", "Bearer secret")])
def test_basic_and_bearer_go_into_the_standard_header(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, auth_type: str, start: str
) -> None:
    headers = call(monkeypatch, server, login="pv", password="secret", extra={"auth_type": auth_type})
    assert headers["Authorization"] == start


def test_the_way_of_authenticating_is_the_file_s_as_for_the_client(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, "lims: {connection: pv_lims, auth_type: basic}")
    headers = call(monkeypatch, server, login="pv", password="secret")
    assert headers["Authorization"] == "Basic cHY6c2VjcmV0"
    assert "X-API-Key" not in headers


def test_the_header_of_the_key_is_the_contract_s_as_for_the_client(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    contract = tmp_path / "lims_ours.yaml"
    custom = (PROJECT / "include" / "mappings" / "lims_custom.yaml").read_text(encoding="utf-8")
    contract.write_text(custom.replace("X-API-Key", "X-Lab"), encoding="utf-8")
    configure(monkeypatch, tmp_path, f"lims: {{connection: pv_lims, contract: {contract}}}")
    assert call(monkeypatch, server, password="key-1")["X-Lab"] == "key-1"


def test_the_shipped_file_s_token_is_sent_as_one(monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer) -> None:
    address = f"http://127.0.0.1:{server.server_port}/api"
    given = {"conn_type": "pv_pm", "host": address, "password": "token-1"}
    monkeypatch.setenv("AIRFLOW_CONN_PV_PM", json.dumps(given))
    PMHook().http().run("me")
    ((_, headers),) = server.seen
    assert headers["Authorization"] == "Bearer token-1"


def test_certificates_are_the_client_s(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "Laboratory")
    ours, theirs = authority.issue("integration"), authority.issue("lims")
    context = authority.server(theirs, clients=authority)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    files = {"client_cert": ours.certificate, "client_key": ours.key, "ca_cert": authority.file}
    address = f"https://127.0.0.1:{server.server_port}/api"
    configure(monkeypatch, tmp_path, json.dumps({"lims": {"base_url": address, "auth_type": "mtls", **files}}))
    LIMSHook().http().run("me")
    ((_, headers),) = server.seen
    assert not {"Authorization", "X-API-Key"} & set(headers)


def test_an_address_without_tls_is_refused_as_by_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"conn_type": "pv_lims", "host": "http://lims.company.com", "password": "key-1"}
    monkeypatch.setenv("AIRFLOW_CONN_PV_LIMS", json.dumps(given))
    with pytest.raises(SecurityError, match="without TLS"):
        LIMSHook().http().run("me")


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    path = folder / "integrations.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PV_CONFIG", str(path))


@pytest.mark.parametrize(
    ("way", "contract"),
    [
        ("oauth2", "lims_custom"),
        ("starlims", "lims_starlims"),
        ("wsse", "lims_sapphire"),
        ("soap_arguments", "lims_starlims_soap"),
    ],
)
def test_what_takes_more_than_a_header_is_refused(
    monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer, way: str, contract: str
) -> None:
    with pytest.raises(ConfigError, match=way):
        call(monkeypatch, server, login="us", password="secret", extra={"auth_type": way, "contract": contract})
    assert server.seen == []
