"""Rows in chunks, so that memory doesn't grow with them, and a word in the log while a long file is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

Row = Sequence[Any]
CHUNK = 512
"""Rows whose text fits into the processor's nearer caches: with eight times as many, JSON takes twice the time."""
EVERY = 10.0
"""Seconds between two words in the log."""

log = logging.getLogger(__name__)


class Progress:
    """Says in the log every ten seconds how far a long file is.

    Args:
        about: what is written.
    """

    def __init__(self, about: str) -> None:
        self._about, self._count, self._told = about, 0, time.monotonic()

    def add(self, rows: int) -> None:
        """Count rows that are written."""
        self._count += rows
        if time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            log.info("%s: %s rows are written", self._about, f"{self._count:,}")


def chunks(rows: Iterable[Row], progress: Progress, size: int = CHUNK) -> Iterator[list[Row]]:
    """Give rows some hundred at a time.

    Args:
        rows: the rows, each read once.
        progress: counts the rows, for the log.
        size: the most rows at a time.
    """
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk
        progress.add(len(chunk))
