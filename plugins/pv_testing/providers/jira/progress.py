"""Progress of a service request: a property of its main task and, where the site has one, a number field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import NotFound
from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.jira.steps import JiraOperation

PROPERTY = "pv_testing_progress"


class ProgressOperation(JiraOperation):
    """Writes how far a service request is; both requests are the same however often they come."""

    async def perform(self, item: Prepared) -> Reply:
        """Write the field and the property."""
        issue, percent = item.payload["issue"], item.payload["percent"]
        await self.issue_of(item, issue, "summary")
        field = self.jira.options.progress_field
        if field:
            body = {"fields": {f"customfield_{field}": percent}}
            await self.jira.ask("PUT", f"/issue/{issue}", self.name, key=item.key, json=body, decode=False)
        kept = {"percent": percent}
        # Not repeated in doubt but looked up, so that no older progress comes after a newer one.
        await self.jira.ask("PUT", _path(issue), self.name, key=item.key, json=kept, repeatable=False, decode=False)
        return Reply(Verdict.OK, ids.of_reply(issue, item.key), body={"progress_percent": percent})

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the properties; one that isn't there says that nothing was written."""
        found: dict[str, Found] = {}
        for item in batch:
            issue = item.payload["issue"]
            try:
                answer = await self.jira.ask("GET", _path(issue), self.name, key=item.key)
            except NotFound:
                continue
            percent = (answer.get("value") or {}).get("percent")
            number = ids.of_found(issue, item.key)
            body = {"progress_percent": percent}
            found[item.key] = Found(number, in_effect=percent == item.payload["percent"], body=body)
        return found


def _path(issue: Any) -> str:
    return f"/issue/{int(issue)}/properties/{PROPERTY}"
