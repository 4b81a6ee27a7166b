"""The door of a system: identifies the caller, applies faults and quotas, and writes every request down."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.faults import FaultRule
from sandbox.log import Seen
from sandbox.problems import HttpProblem
from sandbox.rewriting import shuffled, unfiltered, with_failed_items, with_odd_ids
from sandbox.system import System

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Connection = tuple[Scope, Receive, Send]
Headers = list[tuple[bytes, bytes]]

CONTROL = "/_sandbox/"
HTML = (
    b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Please come back later</h1></body></html>"
)
_PAGE = re.compile(rb"(?<![a-z_])page=\d+")


@dataclass
class PendingResponse:
    """A response that is complete but not sent yet."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def of_problem(cls, problem: HttpProblem) -> PendingResponse:
        """Return the answer for a refusal."""
        answer = cls(problem.status, [(b"content-type", b"application/json")], orjson.dumps(problem.envelope()))
        answer.headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        answer.headers.append((b"content-length", str(len(answer.body)).encode()))
        return answer

    def say(self, body: bytes) -> None:
        """Put another body in the place of the one there is."""
        self.body = body
        self.headers = [(name, value) for name, value in self.headers if name != b"content-length"]
        self.headers.append((b"content-length", str(len(body)).encode()))

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, by its name in lower case."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), None)


class Gate:
    """ASGI middleware around the application of a system."""

    def __init__(self, application: Application, system: System) -> None:
        self._application = application
        self._system = system
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or whatever else the server asks."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._application(scope, receive, send)
            return
        arrival = time.time()
        body = await _read(receive)
        if body is None:
            return
        await self._serve(scope, receive, send, body, arrival)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, body: bytes, arrival: float) -> None:
        rule = self._system.faults.choose(scope["method"], scope["path"], body)
        if rule and rule.kind == "expired_token":
            self._system.authenticator.expire(scope["headers"])
        seen = self._identify(scope, body, arrival, rule)
        try:
            answer = await self._decide(scope, body, rule, seen)
            await self._deliver((scope, receive, send), answer, rule, seen)
        finally:
            seen.seconds = round(time.time() - arrival, 6)
            self._system.log.add(seen)

    def _identify(self, scope: Scope, body: bytes, arrival: float, rule: FaultRule | None) -> Seen:
        self._count += 1
        identity = self._system.authenticator.identify(scope["headers"])
        scope["state"].update(identity=identity, request_id=f"req-{self._count:08d}", system=self._system)
        return Seen(
            arrival,
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            principal=identity.name,
            idempotency_key=_header(scope["headers"], b"idempotency-key"),
            fault=rule.kind if rule else "",
            body_hash=hashlib.blake2b(body, digest_size=8).hexdigest() if body else "",
            body_bytes=len(body),
            early=self._system.holds.early_by(identity.name, arrival),
        )

    async def _decide(self, scope: Scope, body: bytes, rule: FaultRule | None, seen: Seen) -> PendingResponse | None:
        """Return the answer after the work, if any, is done; None when the connection is to be closed without work."""
        refusal = _refusal(rule) or self._quota(seen.principal)
        if refusal:
            return PendingResponse.of_problem(refusal)
        if rule is None:
            return await self._work(scope, body, seen)
        if rule.kind == "drop_before":
            return None
        if rule.kind == "delay" and rule.when == "before":
            await asyncio.sleep(rule.seconds)
        if rule.kind == "repeat_page":
            scope["query_string"] = _PAGE.sub(b"page=1", scope["query_string"])
        if rule.kind == "ignore_filter":
            unfiltered(scope)
        answer = await self._work(scope, body, seen)
        if rule.kind == "duplicate":
            await self._work(scope, body, seen)
        if rule.kind == "delay" and rule.when == "after":
            await asyncio.sleep(rule.seconds)
        return _falsified(rule, answer)

    def _quota(self, client: str) -> HttpProblem | None:
        limiter = self._system.limiter
        wait = limiter.take(client) if limiter.limit else 0
        return rate_limited(str(wait)) if wait else None

    async def _work(self, scope: Scope, body: bytes, seen: Seen) -> PendingResponse:
        answer = PendingResponse()
        parts: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                parts.append(message.get("body", b""))

        await self._application({**scope, "state": dict(scope["state"])}, receive, collect)
        answer.body = b"".join(parts)
        seen.status = answer.status
        return answer

    async def _deliver(
        self, connection: Connection, answer: PendingResponse | None, rule: FaultRule | None, seen: Seen
    ) -> None:
        scope, receive, send = connection
        kind = rule.kind if rule else ""
        if answer is None or kind == "drop_after":
            await _close(scope, receive)
            return
        if kind == "html":
            answer = PendingResponse(
                200, [(b"content-type", b"text/html"), (b"content-length", str(len(HTML)).encode())], HTML
            )
        seen.delivered = answer.status
        retry_after = answer.header(b"retry-after")
        if retry_after:
            self._system.holds.told(seen.principal, retry_after)
        if self._system.limiter.limit:
            quota = self._system.limiter.headers(seen.principal)
            answer.headers += [(name.lower().encode(), value.encode()) for name, value in quota.items()]
        await _send(scope, receive, send, answer, cut=kind == "truncate")


def rate_limited(retry_after: str | None) -> HttpProblem:
    """Return the 429 of a system that wants the client to wait."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    extra = {"retry_after": float(retry_after)} if retry_after and retry_after.replace(".", "", 1).isdigit() else {}
    return HttpProblem(429, "RATE_LIMIT_EXCEEDED", "Too many requests", headers=headers, extra=extra)


def _refusal(rule: FaultRule | None) -> HttpProblem | None:
    if rule is None:
        return None
    if rule.kind == "rate_limit":
        return rate_limited(rule.retry_after_header())
    return _failure(rule) if rule.kind == "error" and rule.when == "before" else None


def _falsified(rule: FaultRule, answer: PendingResponse) -> PendingResponse:
    """Return the answer to finished work, falsified as the rule says."""
    if rule.kind == "error":
        return PendingResponse.of_problem(_failure(rule))
    if rule.kind == "odd_ids":
        answer.say(with_odd_ids(answer.body, rule.shape))
    if rule.kind == "items_fail":
        answer.say(with_failed_items(answer.body, rule.status))
    if rule.kind == "shuffle":
        answer.say(shuffled(answer.body, rule.seed))
    return answer


def _failure(rule: FaultRule) -> HttpProblem:
    retry_after = rule.retry_after_header()
    headers = {"Retry-After": retry_after} if retry_after else {}
    if rule.status < 400:
        headers["Location"] = rule.location
    return HttpProblem(rule.status, "SERVER_ERROR", "Something went wrong on this side", headers=headers)


async def _read(receive: Receive) -> bytes | None:
    """Return the whole request body, or None when the client left before it was sent."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(scope: Scope, receive: Receive, send: Send, answer: PendingResponse, *, cut: bool) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if not cut:
        await send({"type": "http.response.body", "body": answer.body})
        return
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
    await _close(scope, receive)


async def _close(scope: Scope, receive: Receive) -> None:
    """Close the TCP connection and wait until the server has noticed, so that it sends nothing of its own."""
    scope["state"]["transport"].close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(headers: Headers, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")
