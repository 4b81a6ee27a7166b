"""A cache that all callers share, such as a proxy puts in front of a system that says nothing of caching."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.gate import CONTROL, Application, Message, PendingResponse, Receive, Scope, Send
from sandbox.log import RequestLog, Seen

HIT = "cached"
"""The fault that the request log names for a request that never reached the system."""


@dataclass(frozen=True)
class _Kept:
    answer: PendingResponse
    at: float


class SharedCache:
    """ASGI middleware that repeats its first answer to a ``GET`` for a while.

    A request with ``Cache-Control: no-cache`` reaches the system, and its answer is kept in the place of the older one.

    Args:
        application: behind it.
        log: where the requests are noted that the system doesn't see.
        seconds: for how long an answer is kept.
    """

    def __init__(self, application: Application, log: RequestLog, seconds: float) -> None:
        self._application = application
        self._log = log
        self._seconds = seconds
        self._kept: dict[bytes, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or whatever else the server asks."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith(CONTROL):
            await self._application(scope, receive, send)
            return
        url = scope["raw_path"] + b"?" + scope["query_string"]
        kept = self._kept.get(url)
        if kept and time.time() < kept.at + self._seconds and not _wants_anew(scope):
            await self._answer(scope, kept, send)
        else:
            await self._application(scope, receive, self._keeping(url, send))

    async def _answer(self, scope: Scope, kept: _Kept, send: Send) -> None:
        now = time.time()
        query = scope["query_string"].decode("latin-1")
        self._log.add(Seen(now, "GET", scope["path"], query, delivered=kept.answer.status, fault=HIT))
        headers = [*kept.answer.headers, (b"age", str(int(now - kept.at)).encode())]
        await send({"type": "http.response.start", "status": kept.answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": kept.answer.body})

    def _keeping(self, url: bytes, send: Send) -> Send:
        """Return a way to send that keeps an answer of status 200 once it is complete."""
        answer = PendingResponse()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.body += message.get("body", b"")
                if answer.status == 200 and not message.get("more_body"):
                    self._kept[url] = _Kept(answer, time.time())
            await send(message)

        return keep


def _wants_anew(scope: Scope) -> bool:
    directives = b",".join(value for name, value in scope["headers"] if name == b"cache-control")
    return b"no-cache" in directives.lower()
