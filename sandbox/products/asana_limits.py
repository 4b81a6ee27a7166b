"""The ways in which Asana refuses to be asked too much, or answers with an error after the work is done."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection

from sandbox.products.json_server import Refusal

EVERY, TIMES, FAILS = 100, 4, 9


class Limits:
    """Refuses now and then, as the traps say.

    Args:
        traps: the traps that are set.

    Attributes:
        refused: how many requests came too soon.
        failed: how often an error came after the commit.
    """

    def __init__(self, traps: Collection[str]) -> None:
        self._traps = traps
        self._requests = itertools.count(1)
        self._commits = itertools.count(1)
        self._until = 0.0
        self.refused = 0
        self.failed = 0

    def check(self) -> None:
        """Refuse a request that comes too soon.

        Raises:
            Refusal: 429 with ``Retry-After``.
        """
        if "rate_limit" not in self._traps:
            return
        number = next(self._requests)
        if number % EVERY == 0 and number <= EVERY * TIMES:
            self._until = time.time() + 1
        if time.time() < self._until:
            self.refused += 1
            message = "You have made too many requests recently. Please, be chill."
            raise Refusal(429, {"errors": [{"message": message}]}, {"Retry-After": "1"})

    def after_commit(self) -> None:
        """Answer 500 with a phrase although the work is done, now and then.

        Raises:
            Refusal: 500.
        """
        if "error_after_commit" in self._traps and next(self._commits) % FAILS == 1:
            self.failed += 1
            body = {"message": "Server Error", "phrase": "6 sad squid snuggle softly"}
            raise Refusal(500, {"errors": [body]})
