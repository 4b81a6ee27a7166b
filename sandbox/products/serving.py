"""A small HTTP server for the stand-ins: one answer a packet, quiet, and run in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ProductServer(ThreadingHTTPServer):
    """A server on this machine.

    Args:
        handler: answers the requests.
        port: 0 for any free one.
    """

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int) -> None:
        super().__init__(("127.0.0.1", port), handler)

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke off."""


class ProductHandler(BaseHTTPRequestHandler):
    """One request; derived classes give ``answer``."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: else each waits for an acknowledgement
    disable_nagle_algorithm = True
    content_type = "application/json; charset=utf-8"

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer what only reads."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Answer what creates."""
        self._serve("POST")

    def do_PUT(self) -> None:
        """Answer what changes."""
        self._serve("PUT")

    def answer(self, method: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the content of the answer."""
        raise NotImplementedError

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.answer(method, body)
        self.send_response(status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running(server: ProductServer) -> Iterator[None]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
