"""A fault proxy: puts the sandbox's faults, log and judgement in front of any real HTTP server."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from fastapi import FastAPI, Request
from starlette.responses import Response
from yarl import URL

from sandbox import control, problems, server
from sandbox.auth import Authentication, Authenticator, Principal
from sandbox.gate import Gate
from sandbox.log import SCHEMA
from sandbox.problems import HttpProblem
from sandbox.remote import Remote
from sandbox.store import Database
from sandbox.system import System

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CREDENTIALS = (b"authorization", b"x-api-key", b"cookie")
_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_WRITTEN_ANEW = frozenset({"content-length", "date"})
_NOT_PASSED = _CONNECTION | _WRITTEN_ANEW
_TIMEOUT = aiohttp.ClientTimeout(total=600.0)


@dataclass
class Strangers(Authenticator):
    """Tells callers apart by their credentials without knowing them; the server behind the proxy judges those."""

    refused_once: set[str] = field(default_factory=set)

    def identify(self, headers: Iterable[tuple[bytes, bytes]]) -> Authentication:
        """Return a caller that is the same for the same credentials."""
        name = _name(headers)
        if name in self.refused_once:
            self.refused_once.discard(name)
            return Authentication(None, "TOKEN_EXPIRED", "The token has expired")
        return Authentication(Principal(name, frozenset()))

    def expire(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Refuse this caller's next request as one with an expired token."""
        self.refused_once.add(_name(headers))


def _name(headers: Iterable[tuple[bytes, bytes]]) -> str:
    secret = b"\n".join(value for name, value in headers if name in _CREDENTIALS)
    return "caller-" + hashlib.blake2b(secret, digest_size=4).hexdigest() if secret else "anonymous"


class Forwarder:
    """Hands requests on to the server behind the proxy.

    Args:
        upstream: its address, without a path.
    """

    def __init__(self, upstream: str) -> None:
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(upstream))
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, request: Request) -> Response:
        """Return the answer of the server behind the proxy, byte for byte."""
        identity: Authentication = request.state.identity
        if identity.principal is None:
            raise HttpProblem(401, identity.code, identity.reason, headers={"WWW-Authenticate": "Bearer"})
        query = request.url.query
        url = URL(self._origin + request.scope["raw_path"].decode() + (f"?{query}" if query else ""), encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if _passes(name)]
        body = await request.body()
        try:
            async with self._client().request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                return _response(answer, await answer.read())
        except aiohttp.ClientError as error:
            raise HttpProblem(
                502, "BAD_GATEWAY", f"The server behind the proxy failed: {type(error).__name__}"
            ) from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                connector=aiohttp.TCPConnector(limit=0),
            )
        return self._session

    async def close(self) -> None:
        """Close the connections to the server behind the proxy."""
        if self._session:
            await self._session.close()


def _passes(name: str) -> bool:
    """Say whether a header goes through; those of one connection don't, and some are written anew."""
    return name.lower() not in _NOT_PASSED


def _response(answer: aiohttp.ClientResponse, body: bytes) -> Response:
    response = Response(body, answer.status)
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items() if _passes(name)]
    length = answer.headers.get("Content-Length", str(len(body))) if answer.method == "HEAD" else str(len(body))
    response.raw_headers = [*headers, (b"content-length", length.encode())]
    return response


def part(upstream: str, database: Path, sandbox_key: str, port: int = 0) -> server.Part:
    """Return a fault proxy, ready to be served.

    Args:
        upstream: address of the server behind it.
        database: where its request log is kept.
        sandbox_key: the value of ``X-Sandbox-Key`` that its control endpoints want.
        port: 0 for any free one.
    """
    system = System("proxy", Database(database, SCHEMA), Strangers(), {}, control_key=sandbox_key)
    forwarder = Forwarder(upstream)
    app = FastAPI(title="Fault proxy", openapi_url=None)
    app.state.system = system
    problems.install(app)
    app.include_router(control.router)
    app.add_api_route("/{path:path}", forwarder.forward, methods=list(METHODS))
    return server.Part(system, Gate(app, system), port, forwarder.close)


class Proxy(Remote):
    """A running fault proxy; ``url`` takes the place of the server's own address."""

    @property
    def url(self) -> str:
        """The proxy's address."""
        return self.origins["proxy"]

    def faults(self, *rules: Mapping[str, Any]) -> None:
        """Put these fault rules in the place of all others; none given: remove them."""
        self.set_faults("proxy", rules)

    def requests(self, since: int = 0) -> Sequence[dict[str, Any]]:
        """Return the requests that passed or should have."""
        return self.read_requests("proxy", since)

    def rate_violations(self) -> Sequence[dict[str, Any]]:
        """Return the requests that came before a ``Retry-After`` allowed."""
        return self.read_rate_violations("proxy")


@contextmanager
def serve_proxy(upstream: str, *, port: int = 0, sandbox_key: str = "proxy") -> Iterator[Proxy]:
    """Run a fault proxy in a background thread.

    Args:
        upstream: address of the server behind it.
        port: 0 for any free one.
        sandbox_key: the value of ``X-Sandbox-Key`` that its control endpoints want.

    Yields:
        The running proxy.
    """
    with tempfile.TemporaryDirectory(prefix="proxy-") as temporary:
        database = Path(temporary) / "proxy.sqlite"
        with server.in_thread(lambda: [part(upstream, database, sandbox_key, port)]) as running:
            yield Proxy(sandbox_key, running.ports)
