"""The two signatures of an event: the integration guide's within the body, and Standard Webhooks' beside it.

The guide signs what it prints, without saying which bytes. Here they are the body without ``signature`` as JSON with
sorted names and no white space, in UTF-8. Standard Webhooks 1.0.0 signs ``id.timestamp.body`` over the bytes that are
sent; several secrets give several signatures, so that a receiver can change to a new one while both are live.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

SCHEME = "sha256="
PREFIX = "whsec_"
SHORTEST_SECRET = 16
_ESCAPED = re.compile(r"[^\x00-\x7e]")


def canonical(body: Mapping[str, Any]) -> bytes:
    """Return the bytes that the signature within a body is made of.

    Args:
        body: with or without ``signature``.
    """
    return orjson.dumps({k: v for k, v in body.items() if k != "signature"}, option=orjson.OPT_SORT_KEYS)


def canonical_forms(raw: bytes) -> tuple[bytes, ...]:
    """Return the bytes that a sender may have signed: with characters as they are, and escaped as Python's json does.

    Args:
        raw: the body as it came; its numbers keep their digits.

    Raises:
        ValueError: it is no JSON object.
    """
    body = json.loads(raw, parse_float=_literal, parse_int=_literal, parse_constant=_refuse)
    if not isinstance(body, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the content that is wrong
    try:
        plain = canonical(body)
    except TypeError as error:
        raise ValueError("half a character") from error
    escaped = _ESCAPED.sub(_escape, plain.decode()).encode()
    return (plain,) if escaped == plain else (plain, escaped)


def _literal(digits: str) -> orjson.Fragment:
    return orjson.Fragment(digits.encode())


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def hexadecimal(secret: str, content: bytes) -> str:
    """Return the HMAC-SHA256 of some bytes under a secret's own characters."""
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signed(body: Mapping[str, Any], secret: str) -> bytes:
    """Return a body as it is sent, with the integration guide's signature as its last field."""
    signature = f"{SCHEME}{hexadecimal(secret, canonical(body))}"
    return orjson.dumps({**body, "signature": signature})


def standard_key(secret: str) -> bytes:
    """Return the key of Standard Webhooks: what follows ``whsec_`` in base64, any other secret's own characters.

    Raises:
        ValueError: it begins so, but isn't base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"the secret begins with {PREFIX} and what follows isn't base64") from None


def for_library(secret: str) -> str:
    """Return a secret in the form that a receiver's Standard Webhooks library takes."""
    return PREFIX + base64.b64encode(standard_key(secret)).decode()


def standard_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature of Standard Webhooks, such as ``v1,K5oZ…``."""
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digest = hmac.new(standard_key(secret), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def standard_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks.

    Args:
        secrets: all that are live.
        message_id: the same for each try.
        timestamp: of this try, in epoch seconds.
        body: the bytes that are sent.
    """
    signatures = [standard_signature(secret, message_id, timestamp, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
