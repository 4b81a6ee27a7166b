"""Takes events: verifies them over the bytes as they came, keeps them, and acknowledges them when they are on the disk.

Nothing of a request is logged but its system and a code. Whatever a stranger sends is answered with 4xx.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pv_testing.core.errors import IntegrationError
from pv_testing.ledger import Ledger
from pv_testing.ledger.inbox import Received
from pv_testing.webhooks import handshakes
from pv_testing.webhooks.group_commit import GroupCommit, TooBusy
from pv_testing.webhooks.incoming import Unreadable, events_of, parse
from pv_testing.webhooks.settings import WebhookSettings
from pv_testing.webhooks.sources import EventSource, EventSources
from pv_testing.webhooks.starting import Starter
from pv_testing.webhooks.verification import Incoming, NotGenuine, verify

READ_SECONDS = 10.0
RETRY_AFTER = {"Retry-After": "30"}

log = logging.getLogger(__name__)


class RefusedEvent(Exception):
    """A request that is answered with 4xx.

    Args:
        status: of the answer.
        code: why.
    """

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Receiver:
    """Takes events; belongs to one event loop.

    Args:
        ledger: whose inbox.
        sources: who may tell of events.
        settings: limits.
        starter: starts what they start; ``None`` where that is left to the DAG ``pv_webhooks``.
    """

    def __init__(
        self, ledger: Ledger, sources: EventSources, settings: WebhookSettings, starter: Starter | None = None
    ) -> None:
        self._ledger = ledger
        self._sources = sources
        self._settings = settings
        self._starter = starter
        self._commit = GroupCommit(ledger.inbox.receive)

    def begin(self) -> None:
        """Start what an earlier process has left."""
        if self._starter is not None:
            self._starter.wake()

    async def aclose(self) -> None:
        """End the background work."""
        if self._starter is not None:
            await self._starter.aclose()

    async def take(self, system: str, request: Request) -> Response:
        """Answer a request.

        Args:
            system: who tells of something, as the address says.
            request: the request.
        """
        try:
            return await self._take(system, request)
        except RefusedEvent as refused:
            log.info(
                "an event of %s was refused: %s",
                system if self._sources.get(system) else "no known system",
                refused.code,
            )
            return JSONResponse({"error": refused.code}, refused.status)
        except (IntegrationError, TooBusy) as error:
            reason = error if isinstance(error, IntegrationError) else "too much is told at once"
            log.warning("events of %s can't be kept now: %s", system, reason)
            return _unavailable()

    async def _take(self, system: str, request: Request) -> Response:
        source = self._sources.get(system)
        if source is None:
            raise RefusedEvent(404, "unknown_system")
        incoming = Incoming(_headers(request), await self._read(request))
        if source.spec.verify in handshakes.KNOWN:
            answer = await asyncio.to_thread(self._handshake, source, incoming, request.query_params)
            if answer is not None:
                return answer
        events = await self._events(source, incoming)
        if events:
            await self._commit.keep(events)
            if self._starter is not None:
                self._starter.wake()
        return JSONResponse({"accepted": len({event.id for event in events})}, 202)

    async def _events(self, source: EventSource, incoming: Incoming) -> list[Received]:
        secrets = self._sources.known(source) or await asyncio.to_thread(self._sources.secrets_of, source)
        try:
            body = parse(incoming.raw)
            now, tolerance = time.time(), self._settings.tolerance
            verify(source.spec, incoming, body, secrets, now=now, tolerance=tolerance)
            given = (source.spec, source.system, incoming, body, self._key)
            if source.spec.records:
                return await asyncio.to_thread(events_of, *given)
            return events_of(*given)
        except NotGenuine as error:
            raise RefusedEvent(401, str(error)) from None
        except Unreadable as error:
            raise RefusedEvent(400, str(error)) from None
        except ValueError:
            raise RefusedEvent(400, "no_json") from None

    def _handshake(self, source: EventSource, incoming: Incoming, query: Mapping[str, str]) -> Response | None:
        if source.spec.verify == "business_central" and "validationToken" in query:
            token = handshakes.validation_token(query["validationToken"])
            return PlainTextResponse(token) if token else JSONResponse({"error": "no_token"}, 400)
        if source.spec.verify == "asana" and incoming.header(handshakes.ASANA):
            secret = incoming.header(handshakes.ASANA)
            if not handshakes.accept(self._ledger, self._sources, source.system, secret):
                raise RefusedEvent(401, "not_expected")
            return Response(status_code=200, headers={handshakes.ASANA: secret})
        return None

    def _key(self, system: str, kind: str, external_id: str) -> str:
        return self._ledger.find_by_external_id(system, kind, [external_id]).get(external_id, "")

    async def _read(self, request: Request) -> bytes:
        """Return the body, of which no more than the limit is ever held."""
        most = self._settings.max_bytes
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > most:
            raise RefusedEvent(413, "too_large")
        try:
            return await asyncio.wait_for(_bounded(request, most), READ_SECONDS)
        except (TimeoutError, asyncio.TimeoutError):
            raise RefusedEvent(408, "too_slow") from None
        except ClientDisconnect:
            raise RefusedEvent(400, "cut_off") from None


def _unavailable() -> Response:
    return JSONResponse({"error": "unavailable"}, 503, RETRY_AFTER)


async def _bounded(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise RefusedEvent(413, "too_large")
        parts.append(part)
    return b"".join(parts)


def _headers(request: Request) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}


def create_app(receiver: Any) -> Starlette:
    """Return the application that takes events at ``POST /SYSTEM``.

    It is Starlette's and not FastAPI's, whose handling of parameters costs as much as verifying an event.

    Args:
        receiver: a :class:`Receiver`, or what gives one when the first request has come.
    """

    async def take(request: Request) -> Response:
        try:
            instance: Receiver = receiver if isinstance(receiver, Receiver) else await receiver()
        except IntegrationError as error:
            log.warning("no event can be taken: %s", error)
            return _unavailable()
        return await instance.take(request.path_params["system"], request)

    return Starlette(routes=[Route("/{system}", take, methods=["POST"])])
