"""Many names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 20


def some(names: Sequence[str]) -> str:
    """Return the names: all of them, or the first ``NAMED`` and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
