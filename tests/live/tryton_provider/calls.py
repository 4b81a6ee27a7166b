"""How the tests of the provider call Tryton: on this day, through a proxy, with a fault of one call."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tests.live.tryton.server import DATABASE

TODAY = datetime.now(timezone.utc).date()


def proxied(url: str) -> str:
    """Return the address of the database behind a proxy."""
    return f"{url}/{DATABASE}"


def fault(method: str, kind: str) -> dict[str, Any]:
    """Return a fault of the next call of a method."""
    return {"route": "POST *", "holding": f'"model.{method}"', "kind": kind, "times": 1}
