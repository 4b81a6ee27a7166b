"""How the commands print a time."""

from __future__ import annotations

from datetime import datetime, timezone


def moment(epoch: float) -> str:
    """Return a time in UTC to the second, such as ``2025-11-12T09:30:00Z``.

    Args:
        epoch: seconds since 1970.
    """
    return datetime.fromtimestamp(epoch, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
