"""Random numbers that come out the same for the same seed."""

from __future__ import annotations

import random


def chance(*seed: object) -> random.Random:
    """Return a source of random numbers for these seeds.

    Args:
        *seed: whatever tells this use apart from others.
    """
    return random.Random("/".join(map(str, seed)))  # noqa: S311
