"""Instants as the systems write them: RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """Return this instant."""
    return stamp(datetime.now(timezone.utc))


def stamp(instant: datetime) -> str:
    """Return an instant as text."""
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parse(text: str) -> datetime:
    """Return the instant that a text with a time zone names.

    Raises:
        ValueError: the text is no instant or has no time zone.
    """
    instant = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if instant.tzinfo is None:
        raise ValueError("a time zone is missing")
    return instant
