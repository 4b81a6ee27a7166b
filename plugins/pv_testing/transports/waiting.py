"""How long to wait before another try: what the system asks for, else a growing time with jitter."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from pv_testing.core.errors import ResponseError
from pv_testing.core.response import Response

LONGEST = 86_400.0
MOST = 10**9
"""Of how many requests it matters that they remain."""
_PARAMETER = re.compile(r";\s*([rt])=(\d{1,9})(?!\d)")


def backoff(attempt: int, base: float, cap: float) -> float:
    """Return seconds to wait after the given attempt (from 1): half to all of an exponentially growing time."""
    return jitter(min(cap, base * 2.0 ** (attempt - 1)))


def jitter(seconds: float) -> float:
    """Return half to all of a time, at random, so that many callers do not come back at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def asked_wait(response: Response, now: float) -> float | None:
    """Return the seconds that a system asks to be left alone, or ``None`` when it says nothing sensible.

    Reads ``Retry-After`` as seconds or as a date (RFC 9110, 10.2.3), a ``retry_after`` in the body, and
    ``X-RateLimit-Reset`` as epoch seconds, as seconds from now or as an RFC 3339 time, unless the system says that
    something remains. No wait is longer than a day.

    Args:
        response: what came back.
        now: epoch seconds.
    """
    for seconds in (_from_header(response, now), _from_body(response), _from_reset(response, now)):
        if seconds is not None and seconds > 0:
            return min(seconds, LONGEST)
    return None


def remaining(response: Response, now: float) -> tuple[int, float] | None:
    """Return how many requests a system says that it still takes, and the epoch seconds at which it counts anew.

    Reads ``X-RateLimit-Remaining`` and ``RateLimit-Remaining`` with their ``-Reset``, and the ``r`` and ``t`` of
    ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers), of several limits that of which least remains. ``None`` where
    one of the two isn't said, or makes no sense: some say -1 where they have no limit.

    Args:
        response: what came back.
        now: epoch seconds.
    """
    for name in ("X-RateLimit", "RateLimit"):
        left = _number(response.headers.get(f"{name}-Remaining"))
        seconds = _until(response.headers.get(f"{name}-Reset", ""), now)
        if left is not None and left >= 0 and seconds is not None and 0 < seconds <= LONGEST:
            return int(min(left, MOST)), now + seconds
    return min(_limits(response.headers.get("RateLimit", ""), now), default=None)


def _limits(text: str, now: float) -> Iterator[tuple[int, float]]:
    for limit in text.split(","):
        parts = dict(_PARAMETER.findall(limit))
        if {"r", "t"} <= parts.keys() and int(parts["t"]):
            yield int(parts["r"]), now + min(LONGEST, float(parts["t"]))


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _from_header(response: Response, now: float) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    until, sent = _date(value), _date(response.headers.get("Date", ""))
    return None if until is None else until - (now if sent is None else sent)


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _from_body(response: Response) -> float | None:
    try:
        body = response.json()
    except ResponseError:
        return None
    if not isinstance(body, dict):
        return None
    inner = body.get("error")
    seconds = body.get("retry_after", inner.get("retry_after") if isinstance(inner, dict) else None)
    return _number(seconds) if seconds is not None else None


def _from_reset(response: Response, now: float) -> float | None:
    if response.headers.get("X-RateLimit-Remaining", "0") != "0":
        return None
    return _until(response.headers.get("X-RateLimit-Reset", ""), now)


def _until(value: str, now: float) -> float | None:
    reset = _number(value)
    if reset is None:
        until = _moment(value)
        return None if until is None else until - now
    return reset if reset <= LONGEST else reset - now


def _moment(text: str) -> float | None:
    """Return the epoch seconds of an RFC 3339 time; one without a zone is no moment."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
