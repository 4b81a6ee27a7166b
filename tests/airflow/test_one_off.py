"""A one-off call with Airflow's HTTP hook sends what authenticates and no other field of the connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hooks.lims import LIMSHook
from pv_testing.errors import ConfigError


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


def test_what_takes_more_than_a_header_is_refused(monkeypatch: pytest.MonkeyPatch, server: ThreadingHTTPServer) -> None:
    with pytest.raises(ConfigError, match="oauth2"):
        call(monkeypatch, server, extra={"auth_type": "oauth2"})
    assert server.seen == []
