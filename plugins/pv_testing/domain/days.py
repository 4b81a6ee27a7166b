"""Calendar dates of the laboratory: the day on which something happened there, whatever the zone of its time."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from pv_testing.core.values import instant


def moment(value: Any) -> datetime:
    """Return a point in time; one without a zone is taken as UTC.

    Args:
        value: a ``datetime``, or text as RFC 3339 writes it.

    Raises:
        MappingError: it is neither (``NOT_A_TIME``).
    """
    return datetime.fromisoformat(instant(value).replace("Z", "+00:00"))


def local_day(value: Any, zone: tzinfo) -> str:
    """Return the calendar date of a point in time as ``YYYY-MM-DD``.

    Args:
        value: a ``datetime``, or text as RFC 3339 writes it.
        zone: the laboratory's time zone.

    Raises:
        MappingError: it is no point in time (``NOT_A_TIME``).
    """
    return moment(value).astimezone(zone).date().isoformat()
