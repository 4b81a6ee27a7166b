"""The ways in which Jira refuses to be asked too much, or answers with an error after the work is done."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta, timezone

from sandbox.products.json_server import Asked, Refusal

EVERY = {"jira-per-issue-on-write": 25, "jira-burst-based": 60, "jira-quota-tenant-based": 250}
"""Of so many requests that a limit is about, one is refused."""
TIMES = 4
"""How often a limit is reached."""
MESSAGE = {"errorMessages": ["Rate limit exceeded."], "errors": {}}


class Limits:
    """Refuses now and then, as the traps say.

    Args:
        traps: the traps that are set.

    Attributes:
        refused: how often, by reason.
        failed: how often an error came after the commit.
    """

    def __init__(self, traps: Collection[str]) -> None:
        self._traps = traps
        self._seen: Counter[str] = Counter()
        self._reached: Counter[str] = Counter()
        self._hold: dict[str, float] = {}
        self.refused: Counter[str] = Counter()
        self.failed = 0

    def check(self, asked: Asked) -> None:
        """Refuse a request that comes too soon.

        Raises:
            Refusal: 429 with the reason in a header.
        """
        writes = asked.method in {"POST", "PUT", "DELETE"} and "/search" not in asked.path
        issue = re.search(r"/issue/([0-9]+)(?:/|$)", asked.path)
        if "issue_limit" in self._traps and writes and issue:
            self._limit("jira-per-issue-on-write", issue[1], seconds=1)
        if "burst_limit" in self._traps:
            # A burst is not always told how long to wait (JRACLOUD-82801).
            self._limit("jira-burst-based", f"{asked.method} {asked.path.rpartition('/')[2]}", seconds=None)
        if "quota_limit" in self._traps:
            self._limit("jira-quota-tenant-based", "quota", seconds=1, reset=True)

    def _limit(self, reason: str, bucket: str, *, seconds: int | None, reset: bool = False) -> None:
        name = f"{reason} {bucket}"
        self._seen[name] += 1
        held = time.time() < self._hold.get(name, 0.0)
        reached = self._seen[name] % EVERY[reason] == 0 and self._reached[reason] < TIMES
        if not held and not reached:
            return
        self._reached[reason] += not held
        self.refused[reason] += 1
        headers = {"RateLimit-Reason": reason, "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0"}
        if not held:
            self._hold[name] = time.time() + (seconds or 0)
        until = datetime.fromtimestamp(self._hold[name], timezone.utc)
        if reset:
            headers["X-RateLimit-Reset"] = (until + timedelta(seconds=0.2)).isoformat().replace("+00:00", "Z")
        elif seconds:
            headers["Retry-After"] = str(seconds)
        raise Refusal(429, MESSAGE, headers)

    def after_commit(self, what: str) -> None:
        """Answer 500 although the work is done, now and then.

        Raises:
            Refusal: 500.
        """
        if "error_after_commit" not in self._traps:
            return
        self._seen[what] += 1
        if self._seen[what] % 5 == 1:
            self.failed += 1
            raise Refusal(500, {"errorMessages": ["Internal server error"], "errors": {}})
