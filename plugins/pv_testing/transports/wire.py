"""One aiohttp session: sends a request once, and says of every failure whether the request may have taken effect."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.connector import Connection

from pv_testing.core import clock, lease
from pv_testing.core.errors import AmbiguousOutcome, DeadlineExceeded, NetworkError, SecurityError, redact
from pv_testing.core.reasons import Reason
from pv_testing.core.response import Response, read_bounded
from pv_testing.core.sync import close_with
from pv_testing.transports.outgoing_request import Again, OutgoingRequest
from pv_testing.transports.settings import RestSettings
from pv_testing.transports.tls import Tls


async def _once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request by itself, past pause and quota and whether it may be repeated."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(*error.args) from error


class _InTime(aiohttp.ClientRequest):
    """A request that looks at the clock once more, right before it is written to the socket.

    Much may have happened since it was begun: a connection was made, or this process or its machine stood still.
    """

    def send(self, conn: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        """Write the request, or raise what says that its time is over; one that comes too late waits for its turn."""
        call = _call.get()
        if call.turn_ends < math.inf and clock.seconds() > call.turn_ends:
            return self._send_late(call, conn)
        return self._send_now(call, conn)

    async def _send_late(self, call: OutgoingRequest, conn: Connection) -> aiohttp.ClientResponse:
        """Wait for another slot of a shared limit: a new connection was made in the time of the first one."""
        await call.throttle.enter_again(call)
        return await self._send_now(call, conn)

    def _send_now(self, call: OutgoingRequest, conn: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        if not self.body:  # else write_bytes asks, as late as can be
            call.left()
        call.written = True
        if not call.repeatable or call.method in CHANGES:
            lease.writes()
        return super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write the headers and the body, which may be in a later turn of the loop; or end the request with why not."""
        assert conn.protocol is not None
        try:
            _call.get().left()
        except DeadlineExceeded as error:
            conn.protocol.set_exception(error)
        else:
            transport = conn.transport
            # What closes a connection is told when it is lost; to write would put an error of its own before that.
            if transport is None or not transport.is_closing():
                await super().write_bytes(writer, conn, content_length)


_call: ContextVar[OutgoingRequest] = ContextVar("call")
CHANGES = frozenset({"PUT", "PATCH", "DELETE"})
SENT_AGAIN_BY_AIOHTTP = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
ONCE = (_once,)
FRESH = {"Cache-Control": "no-cache"}
"""An answer from a shared cache would say that what was just created isn't there."""


class Wire:
    """Sends requests over connections that it keeps.

    Args:
        settings: how the system is reached.
        secure: whether it is reached over TLS.

    Attributes:
        closed: whether nothing is sent any more, whoever still waits to.
    """

    def __init__(self, settings: RestSettings, *, secure: bool) -> None:
        self._settings = settings
        self._secure = secure or settings.tls != Tls()
        self._timeout = self._within(settings.attempt_timeout)
        self._session: aiohttp.ClientSession | None = None
        self.closed = False

    async def send(self, call: OutgoingRequest, headers: Mapping[str, str]) -> Response:
        """Send once and read the whole answer.

        Args:
            call: what to send.
            headers: besides those of the settings.

        Raises:
            Again: nothing took effect, or the request may be repeated.
            AmbiguousOutcome: it must not, and may have taken effect.
            DeadlineExceeded: there is no time to send it.
            NetworkError: the session was closed before.
            SecurityError: the system's certificate is not trusted, or ours isn't by it; the answer is too large.
            ConfigError: the certificates can't be used.
        """
        if self.closed:
            raise NetworkError("the session was closed; nothing was sent")
        session = self._session or self._open()
        left = call.left()
        call.written = False
        _call.set(call)
        if call.method == "GET":
            headers = {**FRESH, **headers}
        seconds = min(left, self._settings.attempt_timeout)
        timeout = self._timeout if seconds == self._settings.attempt_timeout else self._within(seconds)
        call.attempt_ends = call.deadline - left + seconds
        try:
            raw = await session.request(
                call.method,
                call.url,
                # As bytes, aiohttp would ask all its kinds of payloads for the one that fits.
                data=aiohttp.BytesPayload(call.data) if type(call.data) is bytes else call.data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                middlewares=ONCE if call.method in SENT_AGAIN_BY_AIOHTTP else None,
            )
            return await self._read(raw)
        except aiohttp.ClientConnectorCertificateError as error:
            message = "the system's certificate is not trusted; set ca_cert to the authority that issued it"
            raise SecurityError(message, code=Reason.CERTIFICATE_UNTRUSTED, excerpt=str(error)) from error
        except aiohttp.ClientConnectorSSLError as error:
            raise _no_tls(error) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Again(NetworkError(f"the system can't be reached: {_short(error)}")) from error
        except SecurityError as error:
            raise error if call.repeatable else _ambiguous(error.message, error.code) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise _broken(error, call) from error

    async def _read(self, raw: aiohttp.ClientResponse) -> Response:
        """Read the whole answer; a connection with an answer that is not read to its end is closed."""
        try:
            return Response(raw.status, raw.headers, await read_bounded(raw, self._settings.response_bytes), raw.url)
        except BaseException:
            raw.close()
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        connector = aiohttp.TCPConnector(limit=0, ssl=settings.tls.context() if self._secure else True)
        self._session = aiohttp.ClientSession(
            connector=connector,
            request_class=_InTime,
            headers={"Accept": "application/json", **settings.headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        close_with(self, self._session.close)
        return self._session

    def _within(self, seconds: float) -> aiohttp.ClientTimeout:
        """Limit an attempt; the connection must stand earlier, so that an error tells whether something was sent."""
        connect = min(self._settings.connect_timeout, 0.9 * seconds)
        return aiohttp.ClientTimeout(total=seconds, connect=connect, ceil_threshold=math.inf)


def _broken(error: Exception, call: OutgoingRequest) -> Exception:
    """Return what to raise for a request that has no readable answer; without a connection, nothing was sent."""
    if not call.written:
        return Again(NetworkError(f"the system can't be reached: {_short(error)}"))
    timed_out = isinstance(error, asyncio.TimeoutError)
    what = "the answer did not come in time" if timed_out else f"the answer broke off: {_short(error)}"
    if not call.repeatable:
        return _ambiguous(what)
    return Again(DeadlineExceeded(what) if timed_out else NetworkError(what))


def _no_tls(error: aiohttp.ClientConnectorSSLError) -> Exception:
    """Return what to raise for a handshake that failed: the other side's word against it is final."""
    reason = str(getattr(error.os_error, "reason", ""))
    if "ALERT" in reason:
        message = "the system ends the TLS handshake; if it wants a certificate, check client_cert and client_key"
        return SecurityError(message, code=Reason.CERTIFICATE_REFUSED, excerpt=reason)
    if reason == "WRONG_VERSION_NUMBER":
        return SecurityError("the system doesn't speak TLS at this address; check base_url", code=Reason.NO_TLS)
    return Again(NetworkError(f"the system can't be reached: {_short(error)}"))


def _ambiguous(what: str, code: str = "") -> AmbiguousOutcome:
    return AmbiguousOutcome(f"{what}; the request may have taken effect", code=code)


def _short(error: Exception) -> str:
    return redact(str(error) or type(error).__name__, 200)
