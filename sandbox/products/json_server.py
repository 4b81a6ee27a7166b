"""A stand-in's HTTP server: routes with JSON bodies, each request handled by itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.products.serving import ProductHandler, ProductServer

MOST_BYTES = 4 * 2**20


class Refusal(Exception):
    """An answer other than success.

    Args:
        status: the HTTP status.
        body: sent as JSON; None sends nothing.
        headers: besides the usual ones.
    """

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, dict(headers or {})


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        method: in capitals.
        path: with its quoting.
        query: the first value of each parameter.
        headers: with small letters.
        body: decoded; None where there is none.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


Answer = tuple[int, Any]
Route = Callable[..., Answer]


class Routes:
    """Finds who answers a request; ``{name}`` in a path stands for one part of it."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []

    def add(self, method: str, path: str, route: Route) -> None:
        """Let ``route`` answer; it is given the request and the parts of the path, unquoted."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        self._routes.append((method, re.compile(pattern), route))

    def answer(self, asked: Asked) -> Answer:
        """Return the answer.

        Raises:
            Refusal: nothing is there, or not with this method.
        """
        there = False
        for method, pattern, route in self._routes:
            match = pattern.fullmatch(asked.path)
            there = there or match is not None
            if match and method == asked.method:
                return route(asked, **{name: unquote(part) for name, part in match.groupdict().items()})
        raise Refusal(405 if there else 404, {"message": "no such resource"})


class JsonServer(ProductServer):
    """Serves what ``answer`` says.

    Args:
        answer: answers a request, or raises :class:`Refusal`.
        port: 0 for any free one.

    Attributes:
        seen: how often each method and path came, with numbers in the path blotted out.
        broken: what the stand-in itself has failed at.
    """

    request_queue_size = 128

    def __init__(self, answer: Callable[[Asked], Answer], port: int = 0) -> None:
        super().__init__(_Handler, port)
        self.answer = answer
        self.seen: Counter[str] = Counter()
        self.broken: list[str] = []


class _Handler(ProductHandler):
    server: JsonServer
    timeout = 60

    def do_DELETE(self) -> None:  # noqa: N802 - the library's name
        """Answer what removes."""
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        self.server.seen[f"{method} {re.sub(r'[0-9]{4,}', 'N', parts.path)}"] += 1
        try:
            status, body = self.server.answer(self._asked(parts.path, parts.query))
            headers: dict[str, str] = {}
        except Refusal as refusal:
            status, body, headers = refusal.status, refusal.body, refusal.headers
        except Exception as error:  # noqa: BLE001 - the test that asked must see it
            self.server.broken.append(f"{self.command} {self.path}: {error!r}")
            status, body, headers = 500, {"message": f"the stand-in failed: {error!r}"}, {}
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if content:
            self.send_header("Content-Type", self.content_type)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _asked(self, path: str, query: str) -> Asked:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            raise Refusal(413)
        raw = self.rfile.read(length) if length else b""
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            raise Refusal(400, {"errorMessages": ["the body is not JSON"]}) from None
        if raw and not self.headers.get("Content-Type", "").startswith("application/json"):
            raise Refusal(415)
        values = {name: given[0] for name, given in parse_qs(query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(self.command, path, values, headers, body)
