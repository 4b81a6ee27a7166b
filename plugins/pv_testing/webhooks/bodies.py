"""What an endpoint is sent of an event: the integration guide's body, the same bytes at each try."""

from __future__ import annotations

from typing import Any

from pv_testing.domain.events import PROTOCOL_COMPLETED
from pv_testing.ledger.outbox import Event
from pv_testing.webhooks.schedule import instant
from pv_testing.webhooks.signatures import signed

MOST_BYTES = 20_000
"""Standard Webhooks advises to send no more."""


def body(event: Event, secret: str, framework_url: str = "") -> bytes:
    """Return the body of an event with the guide's signature.

    Args:
        event: from the outbox.
        secret: for the signature.
        framework_url: base address of the framework, for links to what the event is about.
    """
    return signed(content(event, framework_url), secret)


def content(event: Event, framework_url: str = "") -> dict[str, Any]:
    """Return the body without its signature."""
    data = dict(event.data)
    if event.name == PROTOCOL_COMPLETED and framework_url:
        data["results_url"] = f"{framework_url.rstrip('/')}/executions/{data['execution_id']}/results"
    return {"event": event.name, "timestamp": instant(event.at), "data": data}
