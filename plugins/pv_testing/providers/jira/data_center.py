"""What Jira Data Center does otherwise than Cloud: plain text, user names, a search with a total, no bulk reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pv_testing.core.concurrency import bounded
from pv_testing.core.errors import NotFound, PaginationLoop
from pv_testing.providers.jira.keys import Issue
from pv_testing.providers.jira.provider import PAGES, JiraProvider, _list


class JiraDataCenterProvider(JiraProvider):
    """Speaks to Jira Data Center."""

    default_lag: ClassVar[float] = 60.0
    account: ClassVar[str] = "name"
    account_query: ClassVar[str] = "username"

    def text(self, text: str) -> Any:
        """Return text for people as it is."""
        return text

    async def issues(self, ids: Sequence[str], operation: str) -> list[Issue]:
        """Return issues by their ids, one request each; one that isn't there is left out."""

        async def one(number: str) -> Issue | None:
            try:
                return await self.issue(number, operation)
            except NotFound:
                return None

        read = await bounded([one(number) for number in ids], self.contract.limits.concurrency)
        return [issue for issue in read if issue is not None]

    async def search(self, jql: str, operation: str, *, reconcile: Sequence[str] = ()) -> list[Issue]:
        """Return all issues that a query finds; ``reconcile`` is for Cloud only."""
        del reconcile
        body = {"jql": f"{jql} ORDER BY id", "fields": list(self.fields), "maxResults": 100}
        issues: list[Issue] = []
        for _ in range(PAGES):
            answer = await self.ask(
                "POST", "/search", operation, json={**body, "startAt": len(issues)}, repeatable=True
            )
            page = _list(answer, "issues")
            issues += page
            if not page or len(issues) >= int(answer.get("total", 0)):
                return issues
        raise PaginationLoop("Jira's search has no end")
