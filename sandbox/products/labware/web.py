"""The HTTP server of both web services: reads a request, bounded, and writes an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

MOST = 16 * 2**20


class Call(NamedTuple):
    """A request: method, path with query, headers by their names in small letters, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """An answer: status, type and content."""

    status: int
    kind: str
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    work: Callable[[Call], Answer]

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer any request."""
        length = min(int(self.headers.get("Content-Length") or 0), MOST)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = type(self).work(Call(self.command, self.path, headers, self.rfile.read(length)))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server wants


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that broke off."""


@contextmanager
def serving(work: Callable[[Call], Answer], port: int = 0) -> Iterator[str]:
    """Run a server in a thread and give its address without a path.

    Args:
        work: answers a request; called by several threads.
        port: 0 for any free one.
    """
    handler = type("Handler", (_Handler,), {"work": staticmethod(work)})
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
