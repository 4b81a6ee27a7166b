"""One try to deliver one event: the request, and what its answer means."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import aiohttp
from yarl import URL

from pv_testing.core.errors import SecurityError, redact
from pv_testing.core.response import Response
from pv_testing.transports.waiting import asked_wait
from pv_testing.webhooks.addresses import CheckedResolver, Guard

TIMEOUT = 20.0
CONNECT_TIMEOUT = 10.0
READ = 65_536
GONE = 410
THROTTLED = frozenset({429, 502, 503, 504})
_MULTIPLE_CHOICES, _BAD_REQUEST = 300, 400
AGENT = "pv-testing-webhooks"


class EndpointAnswer(NamedTuple):
    """What came of a try.

    Attributes:
        status: of the answer; 0 without one.
        reason: why it isn't delivered, in words; empty where it is.
        wait: seconds that the endpoint asks to be left alone.
    """

    status: int
    reason: str = ""
    wait: float = 0.0

    @property
    def delivered(self) -> bool:
        """Whether the endpoint has taken the event."""
        return not self.reason

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants no more events."""
        return self.status == GONE


def session(guard: Guard, *, concurrency: int) -> aiohttp.ClientSession:
    """Return a session that connects only where the guard allows; without cookies, proxies and redirects.

    Args:
        guard: looks at each address that is about to be connected to.
        concurrency: the most connections.
    """
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(guard), use_dns_cache=False, limit=concurrency, keepalive_timeout=15
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT_TIMEOUT),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": AGENT, "Content-Type": "application/json"},
    )


async def send(client: aiohttp.ClientSession, url: URL, body: bytes, headers: dict[str, str]) -> EndpointAnswer:
    """Send an event once.

    Args:
        client: of :func:`session`.
        url: as the guard has given it back.
        body: the bytes that are signed.
        headers: the signatures.
    """
    try:
        async with client.post(url, data=body, headers=headers, allow_redirects=False) as raw:
            await _drain(raw)
            return _meaning(raw)
    except SecurityError as error:
        return EndpointAnswer(0, str(error))
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
        return EndpointAnswer(0, _why(error))


async def _drain(raw: aiohttp.ClientResponse) -> None:
    """Read a short answer, so that its connection can be used again; of a long one the rest is never read."""
    left = READ
    while left > 0 and not raw.content.at_eof():
        left -= len(await raw.content.read(left))


def _meaning(raw: aiohttp.ClientResponse) -> EndpointAnswer:
    if raw.status < _MULTIPLE_CHOICES:
        return EndpointAnswer(raw.status)
    if raw.status < _BAD_REQUEST:
        return EndpointAnswer(
            raw.status, f"it answers {raw.status}, a redirect, which is never followed: register its address"
        )
    asked = asked_wait(Response(raw.status, raw.headers, b""), time.time()) if raw.status in THROTTLED else None
    return EndpointAnswer(raw.status, f"it answers {raw.status}", asked or 0.0)


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, SecurityError):
        return str(cause)
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer within {TIMEOUT:g} s"
    return redact(f"it can't be reached: {str(error) or type(error).__name__}")
