"""A small HTTP server for products that stand in for others: a function answers each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method: in capitals.
        path: decoded, without the query.
        query: the query; of a name that comes twice, the last.
        headers: by name in small letters.
        body: as it came.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body; nothing for an empty one."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
        status: of HTTP.
        content: bytes as they are, anything else as JSON, ``None`` for no body.
        headers: besides ``Content-Type`` and ``Content-Length``.
    """

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Answered]


@contextmanager
def serve_answers(answer: Answer, port: int = 0) -> Iterator[str]:
    """Serve a function on 127.0.0.1 and give the origin.

    Args:
        answer: called for each request, in a thread of its own.
        port: 0 for any that is free.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(answer))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, unquote(parts.path), query, headers, self.rfile.read(length))
            self._reply(answer(asked))

        def _reply(self, answered: Answered) -> None:
            content = answered.content
            body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(answered.status)
            headers = {"Content-Type": "application/json"} if content is not None else {}
            for name, value in {**headers, **answered.headers}.items():
                self.send_header(name, value)
            if answered.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
