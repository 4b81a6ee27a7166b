"""Whether an event is the system's own: each product shows it in a way of its own, all over the bytes as they came."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pv_testing.contracts.webhook import WebhookSpec
from pv_testing.webhooks.signatures import SCHEME, canonical_forms, standard_signature

MOST_SIGNATURES = 20
LONGEST_ID = 200
_MILLISECONDS = 1e11
"""Epoch numbers beyond it are milliseconds: as seconds they would lie some 3,000 years ahead."""
_NO_MOMENT = 1e14
"""Epoch numbers from it on are no moment, not even as milliseconds; a float can't hold all of them."""


class NotGenuine(Exception):
    """An event doesn't show that it is the system's own; the code says why, and nothing of the event."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that tells of events.

    Attributes:
        headers: with small letters.
        raw: the body as it came.
    """

    headers: Mapping[str, str]
    raw: bytes

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return self.headers.get(name.lower(), "")


def verify(
    spec: WebhookSpec, incoming: Incoming, body: Any, secrets: Sequence[str], *, now: float, tolerance: float
) -> None:
    """Return if a request is the system's own.

    Args:
        spec: how it shows that.
        incoming: the request.
        body: what its body says.
        secrets: all that count.
        now: epoch seconds.
        tolerance: seconds that the sender's clock may differ.

    Raises:
        NotGenuine: it isn't, or it is too old or too new.
    """
    if not secrets:
        raise NotGenuine("no_secret")
    _WAYS[spec.verify](spec, incoming, body, secrets, now, tolerance)
    if spec.time is not None:
        for item in _items(spec, body):
            _check_time(_epoch(spec.time(item)), now, tolerance)


def _items(spec: WebhookSpec, body: Any) -> list[Any]:
    """Return the events of a body, unread; each says its own time."""
    items = spec.items(body) if spec.items else [body]
    return items if isinstance(items, list) else []


def _check_time(timestamp: float | None, now: float, tolerance: float) -> None:
    if timestamp is None:
        raise NotGenuine("no_time")
    if abs(timestamp - now) > tolerance:
        raise NotGenuine("too_old" if timestamp < now else "too_new")


def _epoch(timestamp: Any) -> float | None:
    if isinstance(timestamp, (int, float)) and not isinstance(timestamp, bool):
        if not abs(timestamp) < _NO_MOMENT:  # nor is what is no number, which compares with none
            return None
        return float(timestamp) / (1000 if abs(timestamp) > _MILLISECONDS else 1)
    try:
        moment = datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _any_matches(given: Sequence[str], expected: Sequence[str]) -> None:
    """Compare in constant time, all with all.

    Raises:
        NotGenuine: none is the same.
    """
    matched = 0
    for each in given[:MOST_SIGNATURES]:
        for wanted in expected:
            matched |= hmac.compare_digest(each.encode("utf-8", "replace"), wanted.encode())
    if not matched:
        raise NotGenuine("wrong_signature" if any(given) else "no_signature")


def _digests(secrets: Sequence[str], content: bytes) -> list[str]:
    return [hmac.new(secret.encode(), content, hashlib.sha256).hexdigest() for secret in secrets]


def _body_signature(
    _: WebhookSpec, incoming: Incoming, body: Any, secrets: Sequence[str], __: float, ___: float
) -> None:
    signature = body.get("signature") if isinstance(body, dict) else None
    if not isinstance(signature, str):
        raise NotGenuine("no_signature")
    expected = [digest for form in canonical_forms(incoming.raw) for digest in _digests(secrets, form)]
    _any_matches([signature], [f"{SCHEME}{digest}" for digest in expected])


def _standard(
    _: WebhookSpec, incoming: Incoming, __: Any, secrets: Sequence[str], now: float, tolerance: float
) -> None:
    message_id, timestamp = incoming.header("webhook-id"), incoming.header("webhook-timestamp")
    if not 0 < len(message_id) <= LONGEST_ID or not (message_id.isascii() and message_id.isprintable()):
        raise NotGenuine("no_id")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise NotGenuine("no_time")
    _check_time(float(timestamp), now, tolerance)
    expected = [standard_signature(secret, message_id, int(timestamp), incoming.raw) for secret in secrets]
    _any_matches(incoming.header("webhook-signature").split(" "), expected)


def _hub(name: str, prefix: str) -> Way:
    def way(_: WebhookSpec, incoming: Incoming, __: Any, secrets: Sequence[str], ___: float, ____: float) -> None:
        given = incoming.header(name)
        _any_matches([given] if given else [], [prefix + digest for digest in _digests(secrets, incoming.raw)])

    return way


def _business_central(spec: WebhookSpec, _: Incoming, body: Any, secrets: Sequence[str], __: float, ___: float) -> None:
    """Each notification carries the shared secret that the subscription was made with; there is no signature."""
    items = _items(spec, body)
    if not items:
        raise NotGenuine("no_events")
    for item in items:
        client_state = item.get("clientState") if isinstance(item, dict) else None
        _any_matches([client_state] if isinstance(client_state, str) else [], secrets)


def _shared_secret(
    spec: WebhookSpec, incoming: Incoming, _: Any, secrets: Sequence[str], __: float, ___: float
) -> None:
    given = incoming.header(spec.header)
    _any_matches([given] if given else [], secrets)


Way = Callable[[WebhookSpec, Incoming, Any, Sequence[str], float, float], None]
_WAYS: Mapping[str, Way] = {
    "body_signature": _body_signature,
    "standard_webhooks": _standard,
    "github": _hub("X-Hub-Signature-256", SCHEME),
    "jira": _hub("X-Hub-Signature", SCHEME),
    "asana": _hub("X-Hook-Signature", ""),
    "business_central": _business_central,
    "shared_secret": _shared_secret,
}
