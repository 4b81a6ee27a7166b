"""Stand-ins as a function of the request: what was asked, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.products.serving import ProductHandler, ProductServer, running


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

    class Handler(_Handler):
        answers = staticmethod(answer)

    server = ProductServer(Handler, port)
    with running(server):
        yield server.origin


class _Handler(ProductHandler):
    """One request; derived classes have the function ``answers``."""

    answers: Answer

    def do_PATCH(self) -> None:  # noqa: N802 - as http.server calls it
        """Answer what changes in part."""
        self._serve("PATCH")

    def do_DELETE(self) -> None:  # noqa: N802 - as http.server calls it
        """Answer what deletes."""
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._reply(type(self).answers(Asked(method, unquote(parts.path), query, headers, body)))

    def _reply(self, answered: Answered) -> None:
        content = answered.content
        body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(answered.status)
        headers = {} if content is None else {"Content-Type": self.content_type}
        for name, value in {**headers, **answered.headers}.items():
            self.send_header(name, value)
        if answered.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
