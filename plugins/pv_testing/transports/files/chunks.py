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


def chunks(rows: Iterable[Row], about: str, size: int = CHUNK) -> Iterator[list[Row]]:
    """Give rows some hundred at a time; of a long table the log says every ten seconds how far it is.

    Args:
        rows: the rows, each read once.
        about: what is written, for the log.
        size: the most rows at a time.
    """
    left, count, told = iter(rows), 0, time.monotonic()
    while chunk := list(islice(left, size)):
        yield chunk
        count += len(chunk)
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            log.info("%s: %s rows are written", about, f"{count:,}")
