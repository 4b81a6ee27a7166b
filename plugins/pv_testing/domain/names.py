"""Many names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 20


def some(names: Sequence[str]) -> str:
    """Return the names, the first of them and how many more there are where nobody would read them all."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
