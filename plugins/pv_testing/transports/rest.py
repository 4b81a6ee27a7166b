"""REST over one aiohttp session: deadlines, retries that do no harm, one pause for all, bounded answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from pv_testing.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    ConfigError,
    DeadlineExceeded,
    IntegrationError,
    NetworkError,
    RateLimited,
    Rejected,
    ResponseError,
    SecurityError,
    ServerUnavailable,
)
from pv_testing.exchange.types import Verdict
from pv_testing.transports.auth import Auth
from pv_testing.transports.judge import Judge, Judgement, judge_http
from pv_testing.transports.limits import Breaker, Gate, Pause, Quota, Rate
from pv_testing.transports.response import Response, read_bounded
from pv_testing.transports.tls import Tls
from pv_testing.transports.waiting import asked_wait, backoff

if TYPE_CHECKING:
    from typing_extensions import Self

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REDIRECTS = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RestSettings:
    """How a system is reached.

    Attributes:
        base_url: where every path starts from.
        system: its name in errors.
        provider: the product behind it, in errors.
        headers: sent with every request.
        attempt_timeout: seconds for one attempt, from its first byte to its last.
        total_timeout: seconds for a request with all its waits and attempts.
        attempts: how often a request is tried at the most.
        backoff: seconds before the second attempt; doubled for each further one.
        backoff_cap: the longest such wait, in seconds.
        response_bytes: the greatest size of an answer, decompressed.
        rate: the system's quota.
        concurrency: the most requests at a time.
        tls: certificates, where the machine's own authorities don't do.
        breaker_failures: failures in a row after which the system is left alone.
        breaker_reset: seconds for which it is.
        allow_http: permit an address without TLS that is not on this machine.
    """

    base_url: str
    system: str = ""
    provider: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt_timeout: float = 30.0
    total_timeout: float = 120.0
    attempts: int = 4
    backoff: float = 0.5
    backoff_cap: float = 30.0
    response_bytes: int = 32 * 2**20
    rate: Rate | None = None
    concurrency: int = 16
    tls: Tls = Tls()  # noqa: RUF009 - frozen
    breaker_failures: int = 10
    breaker_reset: float = 5.0
    allow_http: bool = False


class RestSession:
    """One session with one system, for one event loop; an asynchronous context manager.

    Args:
        settings: how the system is reached.
        auth: who asks.
        on_pause: called with the epoch seconds until which the system wants to be left alone.
        not_before: epoch seconds of such a wish that an earlier process was told.

    Raises:
        ConfigError: the address is not one.
        SecurityError: the address has no TLS and is not on this machine.
    """

    def __init__(
        self,
        settings: RestSettings,
        auth: Auth | None = None,
        *,
        on_pause: Callable[[float], None] | None = None,
        not_before: float = 0.0,
    ) -> None:
        self.settings = settings
        self.auth = auth or Auth()
        self._base = checked_address(settings.base_url, allow_http=settings.allow_http)
        self._pause = Pause(not_before, on_pause)
        breaker = Breaker(settings.breaker_failures, settings.breaker_reset)
        self._gate = Gate(self._pause, Quota(settings.rate) if settings.rate else None, breaker)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._timeout = aiohttp.ClientTimeout(total=settings.attempt_timeout, sock_connect=settings.attempt_timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def url(self, path: str) -> URL:
        """Return the full address of a path; a path that starts with the base's own path is not doubled.

        Raises:
            SecurityError: the path is the address of another origin.
        """
        if "://" in path:
            url = URL(path)
            if url.origin() != self._base.origin():
                raise SecurityError(f"the address {url.origin()} is not the system's own; credentials stay at home")
            return url
        base = self._base.path.rstrip("/")
        joined = path if base and path.startswith(base + "/") else f"{base}/{path.lstrip('/')}"
        return self._base.join(URL(joined, encoded=True))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        operation: str = "",
        key: str = "",
        repeatable: bool | None = None,
        timeout: float | None = None,
        judge: Judge | None = None,
        decode: bool = True,
    ) -> Response:
        """Send a request until its outcome is known, or say that it isn't.

        Args:
            method: the HTTP method.
            path: relative to the base address, or an absolute address of the same origin.
            params: the query.
            json: the body, as something that JSON can say.
            data: the body as bytes or a form, instead of ``json``.
            headers: besides the session's own.
            operation: its name in errors.
            key: the record's business key, in errors.
            repeatable: whether it may be sent twice without harm; by default reads, ``PUT`` and ``DELETE`` may.
            timeout: seconds for all attempts together; by default the settings' ``total_timeout``.
            judge: says what a response means; by default its status does.
            decode: whether a successful answer must be JSON.

        Returns:
            A response that the judge calls ``ok``.

        Raises:
            Rejected: the system refuses the request.
            AuthenticationError: it doesn't accept the credentials, also after a new token.
            RateLimited: it wants to be left alone for longer than the deadline allows.
            NetworkError: nothing took effect.
            ResponseError: the answer to a repeatable request can't be understood.
            AmbiguousOutcome: a request that must not be repeated may or may not have taken effect.
        """
        if json is not None:
            data = orjson.dumps(json)
            headers = {"Content-Type": "application/json", **(headers or {})}
        if repeatable is None:
            repeatable = method in REPEATABLE
        call = _Call(
            method,
            self.url(path).with_query(params) if params else self.url(path),
            data,
            headers,
            repeatable,
            time.monotonic() + (self.settings.total_timeout if timeout is None else timeout),
            judge or judge_http,
            decode,
        )
        try:
            return await self._persist(call)
        except IntegrationError as error:
            settings = self.settings
            raise error.about(system=settings.system, provider=settings.provider, operation=operation, key=key) from (
                error.__cause__
            )

    async def unauthenticated(self, method: str, url: str, **request: Any) -> Response:
        """Send a repeatable request without credentials of the session, to fetch some; ``url`` may be elsewhere."""
        address = checked_address(url, allow_http=self.settings.allow_http) if "://" in url else self.url(url)
        data, headers = request.get("data"), dict(request.get("headers") or {})
        if "json" in request:
            data = orjson.dumps(request["json"])
            headers["Content-Type"] = "application/json"
        deadline = time.monotonic() + self.settings.total_timeout
        return await self._persist(
            _Call(method, address, data, headers, True, deadline, judge_http, True, login=True)
        )

    async def _persist(self, call: _Call) -> Response:
        """Try until there is an outcome, the attempts are used up or the deadline comes."""
        attempts = self.settings.attempts
        for attempt in range(1, attempts + 1):
            try:
                return await self._attempt(call)
            except _Again as again:
                if attempt == attempts:
                    raise again.error from again.__cause__
                wait = again.wait
                if wait is None:
                    wait = backoff(attempt, self.settings.backoff, self.settings.backoff_cap)
                if time.monotonic() + wait > call.deadline:
                    raise again.error from again.__cause__
                log.debug("attempt %d of %d failed, the next in %.1f s: %s", attempt, attempts, wait, again.error)
                await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, call: _Call) -> Response:
        """Send once; say with :class:`_Again` that another attempt may help."""
        credentials: Mapping[str, str] = {} if call.login else await self.auth.headers(self)
        await self._gate.admit(call.deadline)
        async with self._slots:
            if not call.login and self._pause.left() > 0:
                await self._gate.admit(call.deadline)
            response = await self._send(call, credentials)
        if response.status == 401 and not call.login:
            self._gate.breaker.succeeded()
            await self._renew(call, credentials, response)
        judgement = call.judge(response, call.repeatable)
        if judgement.verdict is Verdict.OK:
            self._gate.breaker.succeeded()
            return self._decoded(call, response)
        return self._refused(judgement, response)

    async def _renew(self, call: _Call, credentials: Mapping[str, str], response: Response) -> None:
        if call.renewed or not await self.auth.renew(self, credentials):
            raise AuthenticationError("the system doesn't accept the credentials", excerpt=response.text)
        call.renewed = True
        raise _Again(AuthenticationError("the system doesn't accept a new token", excerpt=response.text), 0.0)

    async def _send(self, call: _Call, credentials: Mapping[str, str]) -> Response:
        session = self._opened()
        try:
            for _ in range(REDIRECTS):
                async with session.request(
                    call.method,
                    call.url,
                    data=call.data,
                    headers={**credentials, **(call.headers or {})},
                    timeout=self._timeout_for(call),
                    allow_redirects=False,
                ) as raw:
                    body = await read_bounded(raw, self.settings.response_bytes)
                    if raw.status in {301, 302, 303, 307, 308} and call.method == "GET":
                        call.url = self.url(str(call.url.join(URL(raw.headers.get("Location", "")))))
                        continue
                    return Response(raw.status, raw.headers, body, str(call.url.with_query(None)))
        except aiohttp.ClientConnectorCertificateError as error:
            message = "the system's certificate is not trusted; set ca_cert to the authority that issued it"
            raise SecurityError(message, code="CERTIFICATE_UNTRUSTED") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._gate.breaker.failed()
            raise _Again(NetworkError(f"the system can't be reached: {_short(error)}")) from error
        except SecurityError as error:
            if call.repeatable:
                raise
            raise AmbiguousOutcome(f"{error.message}; the request may have taken effect", code=error.code) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            self._gate.breaker.failed()
            raise self._unclear(call, error) from error
        raise SecurityError(f"more than {REDIRECTS} redirects in a row")

    def _timeout_for(self, call: _Call) -> aiohttp.ClientTimeout:
        left = call.deadline - time.monotonic()
        if left >= self.settings.attempt_timeout:
            return self._timeout
        if left <= 0:
            raise DeadlineExceeded("the time for the operation is used up; nothing was sent")
        return aiohttp.ClientTimeout(total=left, sock_connect=left)

    def _unclear(self, call: _Call, error: Exception) -> Exception:
        """A request that was sent and has no readable answer."""
        what = "timed out" if isinstance(error, asyncio.TimeoutError) else f"broke off: {_short(error)}"
        if not call.repeatable:
            return AmbiguousOutcome(f"the answer {what}; the request may have taken effect")
        if isinstance(error, asyncio.TimeoutError):
            return _Again(DeadlineExceeded(f"the answer {what}"))
        return _Again(NetworkError(f"the answer {what}"))

    def _decoded(self, call: _Call, response: Response) -> Response:
        if call.decode:
            try:
                response.json()
            except ResponseError as error:
                if call.repeatable:
                    raise _Again(error) from error.__cause__
                message = "the answer can't be understood; the request may have taken effect"
                raise AmbiguousOutcome(message, code="NOT_JSON", excerpt=response.text) from error
        return response

    def _refused(self, judgement: Judgement, response: Response) -> Response:
        """Raise what the judgement says."""
        said = f"HTTP {response.status}: {judgement.reason}" if judgement.reason else f"HTTP {response.status}"
        if judgement.verdict is Verdict.REJECTED:
            self._gate.breaker.succeeded()
            raise (judgement.error or Rejected)(judgement.reason or said, code=judgement.code)
        wait = asked_wait(response, time.time())
        if wait is not None:
            self._pause.extend(wait)
        if judgement.verdict is Verdict.AMBIGUOUS:
            self._gate.breaker.failed()
            raise AmbiguousOutcome(f"{said}; the request may have taken effect", code=judgement.code)
        if response.status == 429:
            raise _Again(RateLimited(said, retry_after=wait or self.settings.backoff, code=judgement.code), wait)
        self._gate.breaker.failed()
        raise _Again(ServerUnavailable(said, code=judgement.code), wait)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            secure = self._base.scheme == "https" or self.settings.tls != Tls()
            connector = aiohttp.TCPConnector(limit=0, ssl=self.settings.tls.context() if secure else True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"Accept": "application/json", **self.settings.headers},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


class _Call:
    """A request on its way through its attempts."""

    __slots__ = ("data", "deadline", "decode", "headers", "judge", "login", "method", "renewed", "repeatable", "url")

    def __init__(
        self,
        method: str,
        url: URL,
        data: Any,
        headers: Mapping[str, str] | None,
        repeatable: bool,  # noqa: FBT001
        deadline: float,
        judge: Judge,
        decode: bool,  # noqa: FBT001
        *,
        login: bool = False,
    ) -> None:
        self.method = method
        self.url = url
        self.data = data
        self.headers = headers
        self.repeatable = repeatable
        self.deadline = deadline
        self.judge = judge
        self.decode = decode
        self.login = login
        self.renewed = False


class _Again(Exception):
    """Another attempt may help; ``error`` is what to raise when there is none."""

    def __init__(self, error: IntegrationError, wait: float | None = None) -> None:
        self.error = error
        self.wait = wait
        super().__init__(str(error))


def checked_address(address: str, *, allow_http: bool) -> URL:
    """Return an address that requests with credentials may go to.

    Raises:
        ConfigError: it is not an HTTP address.
        SecurityError: it has no TLS and is not on this machine, or it carries a password.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{address[:80]!r} is not an address; write it like https://lims.company.com/api/v2")
    if parts.username or parts.password:
        raise SecurityError("the address carries credentials; move them to username and password")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK and not allow_http:
        raise SecurityError(f"{parts.hostname} is reached without TLS; use https, or set allow_http if you must")
    return URL(address)


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
