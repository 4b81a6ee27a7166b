"""A response that was read whole, within bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from aiohttp import hdrs
from yarl import URL

from pv_testing.core.errors import ResponseError, SecurityError, redact
from pv_testing.core.reasons import Reason

_UNREAD: Any = object()


class Response:
    """A response of a system.

    Attributes:
        status: the HTTP status.
        headers: its headers; their names match in any case.
        body: the decompressed body.
        url: its address, where there is one.
    """

    __slots__ = ("_json", "body", "headers", "status", "url")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, url: URL | None = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self._json: Any = _UNREAD

    def json(self) -> Any:
        """Return the decoded body; an empty body is ``None``.

        Raises:
            ResponseError: the body is not JSON.
        """
        if self._json is _UNREAD:
            try:
                self._json = _decode(self.body) if self.body else None
            except (ValueError, RecursionError) as error:
                message = "the answer is not JSON; a proxy or a login page may have answered in the system's place"
                raise ResponseError(message, code=Reason.NOT_JSON, excerpt=self.text) from error
        return self._json

    @property
    def text(self) -> str:
        """The beginning of the body as text, for reading by people; undecodable bytes are shown as such."""
        return self.body[:4096].decode("utf-8", "backslashreplace")

    def explain(self) -> str:
        """Return the system's own message about a failure, redacted and short."""
        try:
            content = self.json()
        except ResponseError:
            content = None
        for path in (("error", "message"), ("message",), ("detail",), ("error_description",), ("errors",), ("error",)):
            message = content
            for name in path:
                message = message.get(name) if isinstance(message, dict) else None
            if message:
                details = content["error"].get("details") if path == ("error", "message") else None
                return redact(f"{message}" + (f" {details}" if details else ""))
        return redact(self.text)


def _decode(body: bytes) -> Any:
    """Decode JSON; ``NaN``, which JSON doesn't know but Python systems send, is left to the field map to refuse."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"NaN" not in body and b"Infinity" not in body:
            raise
        return json.loads(body)


async def read_bounded(raw: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read a body, decompressed, and stop as soon as it grows beyond the limit.

    Args:
        raw: the response whose headers have been read.
        limit: the greatest size in bytes.

    Raises:
        SecurityError: the body is larger.
    """
    if raw.connection is None and raw.content.is_eof():
        return _arrived(raw, limit)
    length = raw.content_length
    if length is not None and length <= limit and hdrs.CONTENT_ENCODING not in raw.headers:
        return await raw.read()
    if length is not None and length > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in raw.content.iter_any():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _arrived(raw: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return a body that came together with its headers, as nearly every short one does; nothing is waited for."""
    body = raw.content.read_nowait()
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> SecurityError:
    message = f"the answer is larger than {limit:,} bytes; ask for smaller pages or raise limits.response_bytes"
    return SecurityError(message, code=Reason.RESPONSE_TOO_LARGE)
