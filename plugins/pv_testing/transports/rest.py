"""REST over one aiohttp session: deadlines, retries that do no harm, one pause for all, bounded answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from yarl import URL

from pv_testing.core import clock, lease, metrics
from pv_testing.core.classification import Classification, ResponseClassifier, classify_http, classify_login
from pv_testing.core.errors import (
    AmbiguousOutcome,
    AuthenticationError,
    DeadlineExceeded,
    IntegrationError,
    RateLimited,
    Rejected,
    ResponseError,
    SecurityError,
    ServerUnavailable,
)
from pv_testing.core.reasons import Reason
from pv_testing.core.records import Verdict
from pv_testing.core.response import Response
from pv_testing.transports.addresses import Addresses
from pv_testing.transports.auth import NO_HEADERS, Auth
from pv_testing.transports.limits import Breaker, ConcurrencyLimit, Pause, Quota
from pv_testing.transports.outgoing_request import LEAST, Again, Carrier, OutgoingRequest, Watch
from pv_testing.transports.retry_after import RetryAfterStore
from pv_testing.transports.settings import RestSettings
from pv_testing.transports.throttle import Throttle
from pv_testing.transports.waiting import asked_wait, backoff
from pv_testing.transports.wire import Wire

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RestSession", "RestSettings"]

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
MOVED = frozenset({301, 302, 303, 307, 308})
REDIRECTS = 3
LOOK_THERE = (
    "the request may have taken effect and is not sent again: look in the system; where the product promises that it "
    "has done nothing then, say so in its contract (errors: not_processed: [{0}])"
)
JSON = {"Content-Type": "application/json"}

log = logging.getLogger(__name__)


class RestSession:
    """One session with one system, for one event loop; an asynchronous context manager.

    Args:
        settings: how the system is reached.
        auth: who asks.
        on_pause: called, in a thread, with the epoch seconds until which the system wants to be left alone.
        not_before: epoch seconds of such a wish that an earlier process was told.

    Attributes:
        throttle: what a request must pass.
        watch: sees every request with its answer, or why there is none.

    Raises:
        ConfigError: the address is not one.
        SecurityError: the address has no TLS and is not on this machine, or it carries credentials.
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
        self._addresses, self._wire = self._new_way()
        self._keeper = RetryAfterStore(on_pause) if on_pause else None
        quota = Quota(settings.rate) if settings.rate else None
        self.throttle = self._new_throttle(Pause(not_before, self._keeper), quota)
        self._throttle_elsewhere = self._new_throttle(Pause(), None)
        self._renewed: Mapping[str, str] | None = None
        self.watch: Watch | None = None

    def _new_way(self) -> tuple[Addresses, Carrier]:
        addresses = Addresses(self.settings.base_url, allow_http=self.settings.allow_http)
        return addresses, Wire(self.settings, secure=addresses.secure)

    def _new_throttle(self, pause: Pause, quota: Quota | None) -> Throttle:
        breaker = Breaker(self.settings.breaker_failures, self.settings.breaker_reset)
        return Throttle(pause, breaker, quota, ConcurrencyLimit(self.settings.concurrency))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, and see the last wish to be left alone kept; nothing is sent from now on."""
        self._wire.closed = True
        await self.auth.aclose()
        await self._wire.aclose()
        await self.throttle.aclose()
        if self._keeper is not None:
            await self._keeper.aclose()

    def url(self, path: str) -> URL:
        """Return the full address of a path; a path that starts with the base's own path is not doubled.

        Raises:
            SecurityError: the path leads to another origin or climbs out of the base address.
        """
        return self._addresses.of(path)

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
        classify: ResponseClassifier | None = None,
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
            classify: says what a response means; by default its status does.
            decode: whether a successful answer must be JSON.

        Returns:
            A response that the classifier calls ``ok``.

        Raises:
            Rejected: the system refuses the request.
            AuthenticationError: it doesn't accept the credentials, also after a new token.
            RateLimited: it wants to be left alone for longer than the deadline allows.
            NetworkError: nothing took effect.
            ResponseError: the answer to a repeatable request can't be understood.
            AmbiguousOutcome: a request that must not be repeated may or may not have taken effect. Where no attempt
                holds a lease, so that no look-up follows, a 425, 429 or 503 is such an answer too, unless the contract
                promises that nothing was done.
            SecurityError: it would have gone, or was sent on, where credentials must not go.
        """
        held = lease.asks()
        if json is not None:
            data, headers = orjson.dumps(json), JSON if not headers else {**JSON, **headers}
        repeatable = method in REPEATABLE if repeatable is None else repeatable
        deadline, latest = self._times(timeout)
        try:
            url = self._addresses.of(path)
            url = url.update_query(params) if params else url
            call = OutgoingRequest(
                method,
                url,
                data,
                headers,
                repeatable,
                deadline,
                latest,
                self.throttle,
                classify or classify_http,
                decode,
            )
            call.careful = held and not repeatable
            return await self._persist(call)
        except IntegrationError as error:
            settings = self.settings
            raise error.about(system=settings.system, provider=settings.provider, operation=operation, key=key) from (
                error.__cause__
            )

    async def unauthenticated(
        self, method: str, url: str, *, json: Any = None, data: Any = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a repeatable request without credentials of the session, to fetch some.

        Args:
            method: the HTTP method.
            url: relative to the base address, or an absolute address, which may be elsewhere.
            json: the body, as something that JSON can say.
            data: the body as a form, instead of ``json``.
            headers: besides the session's own.

        Raises:
            IntegrationError: as of :meth:`request`, without what the other side says, which may hold the secret.
        """
        address = self._addresses.anywhere(url)
        throttle = self.throttle if self._addresses.is_own(address) else self._throttle_elsewhere
        if json is not None:
            data, headers = orjson.dumps(json), {**JSON, **(headers or {})}
        deadline, latest = self._times(None)
        return await self._persist(
            OutgoingRequest(
                method,
                address,
                data,
                headers,
                repeatable=True,
                deadline=deadline,
                latest=latest,
                throttle=throttle,
                classify=classify_login,
                decode=False,
                login=True,
            )
        )

    def _times(self, timeout: float | None) -> tuple[float, float]:
        """Return by when a request must be done, and after when it isn't sent any more."""
        seconds = self.settings.total_timeout if timeout is None else timeout
        deadline = min(clock.seconds() + seconds, lease.end())
        return deadline, deadline - LEAST * min(seconds, self.settings.attempt_timeout)

    async def _persist(self, call: OutgoingRequest) -> Response:
        """Try until there is an outcome, the attempts are used up or the deadline comes."""
        attempts = self.settings.attempts
        attempt = 0
        while True:
            taken = call.throttle.pace.taken
            try:
                return await self._attempt(call)
            except Again as again:
                if again.error.may_have_effect:
                    raise again.error from again.__cause__
                # Where the system takes other requests meanwhile, this one only waits for its turn.
                attempt += not (again.paced and call.throttle.pace.taken > taken)
                wait = again.wait
                if wait is None:
                    wait = backoff(max(attempt, 1), self.settings.backoff, self.settings.backoff_cap)
                if attempt == attempts or clock.seconds() + wait > call.latest:
                    raise again.error from again.__cause__
                told = (self.settings.system, call.method, call.url.path, attempt, attempts, wait, again.error)
                log.info("%s: %s %s: attempt %d of %d failed, the next one in %.1f s: %s", *told)
                metrics.count("retries", system=self.settings.system)
                await asyncio.sleep(wait)

    async def _attempt(self, call: OutgoingRequest) -> Response:
        """Send once, and again only with a new token or where the system itself sends a read."""
        while True:
            credentials = NO_HEADERS if call.login else self.auth.current()
            if credentials is None:
                credentials = await self._credentials(call, None)
            response = await self._send(call, credentials)
            classification = call.classify(response, call.repeatable)
            if not call.login and (response.status == 401 or classification.error is AuthenticationError):
                await self._renew(call, credentials, response, classification)
            elif response.status in MOVED and call.method == "GET":
                self._follow(call, response)
            else:
                return self._judged(call, response, classification)

    async def _send(self, call: OutgoingRequest, credentials: Mapping[str, str]) -> Response:
        headers = {**credentials, **call.headers} if call.headers else credentials
        asked = time.monotonic()
        probe = not call.throttle.enter_at_once() and await call.throttle.enter(call)
        call.passed = time.monotonic()
        status = 0
        try:
            response = await self.auth.carry(self._wire, call, headers)
            status = response.status
            call.throttle.hear(response)
            if self.watch is not None:
                self.watch(call, response)
        except (Again, AmbiguousOutcome) as error:
            self._failed(call)
            if self.watch is not None:
                self.watch.broke(call, error.error if isinstance(error, Again) else error)
            raise
        else:
            return response
        finally:
            call.throttle.leave(probe=probe)
            if metrics.wanted():
                metrics.request(self.settings.system, status, call.passed - asked, time.monotonic() - call.passed)

    def _failed(self, call: OutgoingRequest) -> None:
        if call.throttle.breaker.failed():
            told = (self.settings.system, self.settings.breaker_failures, self.settings.breaker_reset)
            log.warning("%s: %d requests in a row have failed; nothing is sent for %.0f s, then one tries", *told)
            metrics.count("breaker_opened", system=self.settings.system)

    def _succeeded(self, call: OutgoingRequest) -> None:
        if call.throttle.breaker.succeeded():
            log.info("%s: it answers again; requests pass as before", self.settings.system)

    async def _credentials(self, call: OutgoingRequest, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Get new credentials, within the time of the call; without any to be had, those refused are returned."""
        left = call.left()
        try:
            return await asyncio.wait_for(self.auth.renew(self, refused), left)
        except asyncio.TimeoutError as error:
            raise DeadlineExceeded("no token was to be had in time; nothing was sent") from error

    async def _renew(
        self, call: OutgoingRequest, refused: Mapping[str, str], response: Response, classification: Classification
    ) -> None:
        """Get new credentials after a refusal, be it a 401 or one that the contract knows under another status.

        Raises:
            AuthenticationError: there are none, or new ones are refused too.
            AmbiguousOutcome: the request may have taken effect before it was refused.
        """
        self._succeeded(call)
        promised = 401 in self.settings.not_processed if response.status == 401 else classification.promised
        may_have_effect = call.careful and not promised
        # A read with the new token may have succeeded since: for a read, its refusal is that of any token that ends.
        renewed = call.renewed or (call.careful and refused is self._renewed)
        credentials = refused if renewed else await self._credentials(call, refused)
        if credentials is refused:
            self._renewed = None
            message = "the system doesn't accept " + ("a new token either" if renewed else "the credentials")
            by_rule = response.status != 401
            explained = (
                (classification.reason, classification.code) if by_rule and classification.reason else (message, "")
            )
            refusal = AuthenticationError(explained[0], code=explained[1], excerpt=response.text)
            raise refusal.marked(may_have_effect=may_have_effect)
        call.renewed = True
        if call.careful:
            self._renewed = credentials
        if may_have_effect:
            message = "the token was refused and is renewed; the request may have taken effect"
            raise AmbiguousOutcome(message, code=Reason.TOKEN_REFUSED, excerpt=response.text)

    def _follow(self, call: OutgoingRequest, response: Response) -> None:
        self._succeeded(call)
        call.redirects += 1
        if call.redirects > REDIRECTS:
            raise SecurityError(f"the system redirects more than {REDIRECTS} times in a row")
        call.url = self._addresses.next_of(call.url, response.headers.get("Location", ""))

    def _judged(self, call: OutgoingRequest, response: Response, classification: Classification) -> Response:
        """Return a good answer; raise what the classifier says of another."""
        if classification.verdict is not Verdict.OK:
            raise self._refused(call, classification, response)
        self._succeeded(call)
        call.throttle.pace.answered()
        if not call.repeatable:
            self._renewed = None
        if call.decode:
            try:
                response.json()
            except ResponseError as error:
                if call.repeatable:
                    raise Again(error) from error.__cause__
                message = "the answer can't be understood; the request may have taken effect"
                raise AmbiguousOutcome(message, code=Reason.NOT_JSON, excerpt=response.text) from error
        return response

    def _refused(self, call: OutgoingRequest, classification: Classification, response: Response) -> Exception:
        verdict, code, reason, error, promised, alone = classification
        may_have_effect = call.careful and not promised
        explained = f"HTTP {response.status}: {reason}" if reason else f"HTTP {response.status}"
        if verdict is Verdict.REJECTED:
            self._succeeded(call)
            return (error or Rejected)(reason or explained, code=code).marked(may_have_effect=may_have_effect)
        wait = asked_wait(response, time.time())
        if wait is not None:
            log.warning("%s asks to be left alone for %.1f s (HTTP %d)", self.settings.system, wait, response.status)
            if not alone:
                call.throttle.pause.extend(wait)
        paced = response.status == 429 and wait is None and not alone
        if paced:
            call.throttle.pace.refused(call.passed)
        if response.status != 429:
            self._failed(call)
        if verdict is Verdict.AMBIGUOUS:
            return AmbiguousOutcome(f"{explained}; the request may have taken effect", code=code)
        if not (promised or call.repeatable or call.careful):
            return AmbiguousOutcome(f"{explained}; {LOOK_THERE.format(response.status)}", code=code)
        if wait is not None or response.status == 429:
            limited = RateLimited(explained, retry_after=wait or self.settings.backoff, code=code)
            return Again(limited.marked(may_have_effect=may_have_effect), wait, paced=paced)
        return Again(ServerUnavailable(explained, code=code).marked(may_have_effect=may_have_effect))
