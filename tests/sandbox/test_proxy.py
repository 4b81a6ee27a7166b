"""The fault proxy hands requests on byte for byte and puts the faults in front of a server that knows nothing of it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from sandbox.proxy import Proxy, serve_proxy


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and remembers it."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, bytes, dict[str, str]]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, body, {name.lower(): each for name, each in self.headers.items()}))
        if self.path.startswith("/chunked"):
            self._chunked()
            return
        payload = gzip.compress(body) if self.path.startswith("/gzip") else body or b"nothing"
        self.send_response(302 if self.path.startswith("/away") else 200)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        if self.path.startswith("/gzip"):
            self.send_header("Content-Encoding", "gzip")
        if self.path.startswith("/away"):
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[ThreadingHTTPServer]:
    Echo.seen = []
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=echo.serve_forever, daemon=True)
    thread.start()
    yield echo
    echo.shutdown()
    echo.server_close()


@pytest.fixture(scope="module")
def proxy(upstream: ThreadingHTTPServer) -> Iterator[Proxy]:
    with serve_proxy(f"http://127.0.0.1:{upstream.server_port}/ignored") as running:
        yield running


@pytest.fixture
def caller(proxy: Proxy, anyone: Any) -> Iterator[Any]:
    proxy.faults()
    Echo.seen.clear()
    with anyone(proxy.url, {"Authorization": "Basic abc"}) as session:
        yield session


def test_a_request_goes_through_unchanged(caller: Any, proxy: Proxy) -> None:
    answer = caller.post(
        "/a%20b/c?x=%2F&y=ü", data=b"\x00\xff", headers={"X-Odd": "1", "Content-Type": "application/x"}
    )
    assert (answer.status_code, answer.content) == (200, b"\x00\xff")
    assert answer.cookies.get_dict() == {"a": "1", "b": "2"}
    method, path, body, headers = Echo.seen[0]
    assert (method, path, body) == ("POST", "/a%20b/c?x=%2F&y=%C3%BC", b"\x00\xff")
    assert (headers["x-odd"], headers["content-type"], headers["authorization"]) == ("1", "application/x", "Basic abc")
    assert proxy.url.endswith(headers["host"])
    assert headers["user-agent"].startswith("python-requests")


def test_compressed_chunked_redirected_and_empty_answers_go_through(caller: Any) -> None:
    assert caller.post("/gzip", data=b"text").content == b"text"
    assert caller.get("/chunked").content == b"abcdefg"
    away = caller.get("/away", allow_redirects=False)
    assert (away.status_code, away.headers["Location"]) == (302, "/elsewhere")
    head = caller.head("/head")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "7", b"")


@pytest.mark.parametrize(("kind", "arrived"), [("drop_before", 0), ("drop_after", 1), ("truncate", 1)])
def test_lost_answers(caller: Any, proxy: Proxy, kind: str, arrived: int) -> None:
    proxy.faults({"route": "POST /samples", "kind": kind, "times": 1})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        caller.post("/samples", data=b"sample")
    assert len(Echo.seen) == arrived
    assert caller.post("/samples", data=b"sample").status_code == 200


def test_refusals_never_arrive(caller: Any, proxy: Proxy) -> None:
    proxy.faults(
        {"kind": "rate_limit", "retry_after": 30, "times": 1},
        {"kind": "error", "status": 503, "times": 1},
        {"kind": "expired_token", "times": 1},
    )
    answers = [caller.get("/x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 503, 401, 200]
    assert answers[0].headers["Retry-After"] == "30"
    assert len(Echo.seen) == 1


def test_html_and_duplicates_arrive(caller: Any, proxy: Proxy) -> None:
    proxy.faults({"kind": "html", "times": 1}, {"kind": "duplicate", "times": 1})
    assert caller.post("/x", data=b"1").headers["Content-Type"] == "text/html"
    assert caller.post("/x", data=b"2").content == b"2"
    assert [body for _, _, body, _ in Echo.seen] == [b"1", b"2", b"2"]


def test_the_log_tells_callers_apart_without_their_secrets(caller: Any, proxy: Proxy) -> None:
    last = max((each["number"] for each in proxy.requests()), default=0)
    caller.get("/one")
    caller.get("/two", headers={"Authorization": "Basic other"})
    one, two = proxy.requests(last)
    assert (one["path"], two["path"]) == ("/one", "/two")
    assert one["principal"] != two["principal"]
    assert "abc" not in str(one)


def test_an_early_request_is_a_violation_for_its_caller_only(anyone: Any, upstream: ThreadingHTTPServer) -> None:
    with serve_proxy(f"http://127.0.0.1:{upstream.server_port}") as proxy:
        early, other = (anyone(proxy.url, {"X-API-Key": name}) for name in ("early", "other"))
        proxy.faults({"kind": "rate_limit", "retry_after": 60, "times": 1})
        assert early.get("/x").status_code == 429
        deadline = threading.Event()
        deadline.wait(0.2)
        other.get("/x")
        assert proxy.rate_violations() == []
        early.get("/x")
        assert [each["path"] for each in proxy.rate_violations()] == ["/x"]


def test_a_dead_server_is_a_bad_gateway(anyone: Any) -> None:
    with serve_proxy("http://127.0.0.1:9") as proxy:
        assert anyone(proxy.url).get("/x").status_code == 502
