"""Events of the framework on their way to the webhooks that were registered with it, signed as the guide prints it."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from sandbox.framework.records import FrameworkRecords
from sandbox.times import now

TIMEOUT = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def webhooks_of(records: FrameworkRecords, event: str) -> list[tuple[str, str]]:
    """Return address and secret of each webhook that wants an event."""
    rows = records.store.rows("SELECT url, events, secret FROM webhooks ORDER BY id")
    return [(row["url"], row["secret"]) for row in rows if event in json.loads(row["events"])]


def signed(event: str, data: Mapping[str, Any], secret: str) -> bytes:
    """Return the body of an event; its ``signature`` covers the rest of it as JSON with sorted names and no spaces."""
    body = {"event": event, "timestamp": now(), "data": dict(data)}
    content = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    return json.dumps({**body, "signature": f"sha256={signature}"}, ensure_ascii=False).encode()


def send(url: str, body: bytes) -> int:
    """Send an event and return the status of the answer; 0 where there is none."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
