"""Names for the content of a record: two payloads have the same fingerprint when they say the same."""

from __future__ import annotations

import hashlib

import orjson

from pv_testing.exchange.types import Payload

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def fingerprint(payload: Payload) -> str:
    """Return the SHA-256 of the payload's canonical JSON, in hexadecimal."""
    return hashlib.sha256(orjson.dumps(payload, default=str, option=_OPTIONS)).hexdigest()


def idempotency_key(system: str, kind: str, key: str, content: str, revision: int) -> str:
    """Return a key that is the same for every attempt to bring one version of one record into effect."""
    text = "\x1f".join((system, kind, key, content, str(revision)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
