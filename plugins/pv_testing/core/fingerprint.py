"""Names for the content of a record: two payloads have the same fingerprint when they are equal."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from pv_testing.core.records import Payload, Prepared

ROOM = 20
"""Levels that a request may put around a payload; orjson writes 254 of them."""
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def fingerprint(payload: Payload) -> str:
    """Return the SHA-256 of the payload's canonical JSON, in hexadecimal.

    Raises:
        TypeError: JSON can't hold it: half a character, a whole number beyond 64 bits, or nested too deeply to be sent.
    """
    canonical = _canonical(payload)
    if canonical.count(b"{") + canonical.count(b"[") > ROOM:
        _canonical(_enclosed(payload))
    return hashlib.sha256(canonical).hexdigest()


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=_OPTIONS)


def _enclosed(payload: Payload) -> Any:
    """Return the payload as deep within others as a request may put it."""
    enclosed: Any = payload
    for _ in range(ROOM):
        enclosed = [enclosed]
    return enclosed


def idempotency_key(system: str, kind: str, key: str, content: str, revision: int) -> str:
    """Return a key that is the same for every attempt to bring one version of one record into effect."""
    text = "\x1f".join((system, kind, key, content, str(revision)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def idempotency_key_of(item: Prepared, system: str, kind: str) -> str:
    """Return the idempotency key of a record, as it was made ahead or is made now."""
    return item.idempotency_key or idempotency_key(system, kind, item.key, item.fingerprint, item.revision)
