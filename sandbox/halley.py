"""The small LIMS of docs/tutorial.md, which is no product: specimens over HTTP, with two traps.

``python -m sandbox.halley`` runs it. A specimen shows in its list a second after it was created, and a request that is
refused is answered with 200.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "halley-token"  # noqa: S105 - of a system that exists on this machine only
INDEXED_AFTER = 1.0
"""Seconds after which a new specimen shows in the list."""
PAGE = 50
LARGEST_BODY = 1_000_000

Answer = tuple[int, dict[str, Any]]


class Halley(ThreadingHTTPServer):
    """The server with its specimens.

    Args:
        port: where it listens on the loopback address; 0 takes a free one.

    Attributes:
        specimens: as their requests described them, with their number and the moment of their creation.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.specimens: list[dict[str, Any]] = []
        self._lock = Lock()

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def create(self, specimen: dict[str, Any]) -> Answer:
        """Add a specimen, or refuse it under HTTP 200."""
        missing = [name for name in ("code", "order", "client") if not str(specimen.get(name, "")).strip()]
        if missing:
            return 200, {"fault": {"code": "MISSING", "text": f"missing: {', '.join(missing)}"}}
        with self._lock:
            number = len(self.specimens) + 1
            self.specimens.append({**specimen, "number": number, "created": time.monotonic()})
        return 201, {"specimen": {"number": number}}

    def listing(self, query: dict[str, str]) -> Answer:
        """Give a page of the specimens that the query asks for and the index holds already."""
        indexed = time.monotonic() - INDEXED_AFTER
        rows = []
        for specimen in self.specimens:
            asked_for = all(specimen.get(name) == query[name] for name in ("code", "order") if name in query)
            if asked_for and specimen["created"] <= indexed:
                rows.append({name: value for name, value in specimen.items() if name != "created"})
        first = (int(query.get("page", "1")) - 1) * PAGE
        return 200, {"specimens": rows[first : first + PAGE], "count": len(rows)}


class _Handler(BaseHTTPRequestHandler):
    server: Halley
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not self._is_known():
            self._answer(401, {"fault": {"code": "TOKEN", "text": "unknown token"}})
        elif parts.path == "/api/whoami":
            self._answer(200, {"user": "integration"})
        elif parts.path == "/api/specimens":
            self._answer(*self.server.listing(query))
        else:
            self._answer(404, {"fault": {"code": "ADDRESS", "text": "no such address"}})

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY))
        if not self._is_known():
            self._answer(401, {"fault": {"code": "TOKEN", "text": "unknown token"}})
        elif self.path == "/api/specimens":
            self._answer(*self.server.create(json.loads(body)))
        else:
            self._answer(404, {"fault": {"code": "ADDRESS", "text": "no such address"}})

    def _is_known(self) -> bool:
        return self.headers.get("X-Halley-Token") == TOKEN

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Keep the terminal for what the reader does."""
        del format, args


@contextmanager
def serve(port: int = 0) -> Iterator[Halley]:
    """Run the LIMS in a thread.

    Args:
        port: where it listens on the loopback address; 0 takes a free one.
    """
    with Halley(port) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def main() -> None:
    """Run the LIMS until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.halley", description="Run the small LIMS of the tutorial.")
    parser.add_argument("--port", type=int, default=8900, help="where it listens; 8900 without it")
    with serve(parser.parse_args().port) as server:
        print(f"Halley LIMS: {server.url}   token: {TOKEN}   Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
