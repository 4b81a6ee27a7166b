"""From a verified body to the events that it tells of: what names each, what it is about, what it starts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from pv_testing.contracts.webhook import WebhookSpec
from pv_testing.core import keys
from pv_testing.ledger.inbox import Received
from pv_testing.webhooks.signatures import canonical
from pv_testing.webhooks.verification import LONGEST_ID, Incoming

DEEPEST = 64
MOST_EVENTS = 1_000
# A text that is never closed ends with the body, so that nothing is looked at twice.
_TEXTS = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_SUBJECT = re.compile(r"[\w./-]{1,100}", re.ASCII)
_OPENING = frozenset({b"[", b"{"})

FindKey = Callable[[str, str, str], str]
"""Gives the business key of a record by system, kind and its id there; empty where it isn't known."""


class Unreadable(Exception):
    """A body that tells of no event that can be read; the code says why, and nothing of the body."""


def parse(raw: bytes) -> Any:
    """Return what a body says.

    Raises:
        Unreadable: it is no JSON object, or is nested too deeply.
    """
    depth = 0
    for bracket in _BRACKETS.findall(_TEXTS.sub(b"", raw)):
        depth += 1 if bracket in _OPENING else -1
        if depth > DEEPEST:
            raise Unreadable("too_deep")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Unreadable("no_json") from None
    if not isinstance(body, dict):
        raise Unreadable("no_object")
    return body


def events_of(spec: WebhookSpec, system: str, incoming: Incoming, body: Any, find_key: FindKey) -> list[Received]:
    """Return the events of a verified body, one for each DAG that each of them starts.

    Args:
        spec: where they are and what they start.
        system: who tells of them.
        incoming: the request.
        body: what it says.
        find_key: knows the records of the ledger.

    Raises:
        Unreadable: it tells of none, or of too many.
    """
    items = spec.items(body) if spec.items else [body]
    if not isinstance(items, list) or len(items) > MOST_EVENTS:
        raise Unreadable("no_events")
    events: list[Received] = []
    for item in items:
        name = ".".join(_text(part(item)) for part in spec.event)[:LONGEST_ID] or "unnamed"
        event_id, subject = _id(spec, incoming, item), _subject(spec, system, item, find_key)
        dags = list(spec.dags(name)) or [""]
        events += [Received(system, event_id, name, subject, dag) for dag in dags]
    return events


def _id(spec: WebhookSpec, incoming: Incoming, item: Any) -> str:
    """Return what names an event: an id that the signature covers, else a digest of what it says."""
    if spec.verify == "standard_webhooks" and spec.items is None:
        return incoming.header("webhook-id")
    event_id = _text(spec.id(item)) if spec.id else ""
    if 0 < len(event_id) <= LONGEST_ID and event_id.isprintable():
        return event_id
    return f"sha256:{sha256(_content(item)).hexdigest()}"


def _content(item: Any) -> bytes:
    try:
        return canonical(item) if isinstance(item, dict) else json.dumps(item).encode()
    except TypeError:  # half a character, or a number beyond 64 bits
        return json.dumps(item, sort_keys=True).encode()


def _subject(spec: WebhookSpec, system: str, item: Any, find_key: FindKey) -> str:
    """Return the service request that an event is about, as far as it says so; it is a hint and no more."""
    for hint in _hints(spec, system, item, find_key):
        if _SUBJECT.fullmatch(hint):
            return hint
    return ""


def _hints(spec: WebhookSpec, system: str, item: Any, find_key: FindKey) -> Iterator[str]:
    for place in spec.service_request:
        yield _text(place(item))
    for kind, place in spec.records.items():
        external_id = _text(place(item))
        key = find_key(system, kind, external_id) if external_id else ""
        if key:
            yield keys.split(key)[0]


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
