"""Progress of a service request: a field of its main task and, now and then, a status update of the project.

A status update can't be edited and is told to all followers, so that of one service request there is one in a while.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pv_testing.core.records import Found, Prepared, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.asana.keys import field_of
from pv_testing.providers.asana.steps import AsanaOperation

DONE = 100


class ProgressOperation(AsanaOperation):
    """Writes how far a service request is."""

    async def perform(self, item: Prepared) -> Reply:
        """Write the field, and tell the followers where it is time to."""
        gid, percent = str(item.payload["task"]), item.payload["percent"]
        await self.task_of(item, gid)
        data = {"custom_fields": {self.asana.options.field("progress_field"): percent}}
        await self.asana.ask("PUT", f"/tasks/{int(gid)}", self.name, key=item.key, data=data, repeatable=False)
        if self.asana.options.status_updates:
            await self._tell(item, percent)
        return Reply(Verdict.OK, ids.of_reply(gid, item.key), body={"progress_percent": percent})

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the fields."""
        field = self.asana.options.field("progress_field")
        found: dict[str, Found] = {}
        for item, task in await self.tasks_of(batch):
            percent = field_of(task, field, "number_value")
            number, body = ids.of_found(task["gid"], item.key), {"progress_percent": percent}
            found[item.key] = Found(number, in_effect=percent == item.payload["percent"], body=body)
        return found

    async def _tell(self, item: Prepared, percent: Any) -> None:
        """Write a status update unless there is a young one; the last one, at 100 %, is written once in any case."""
        project, title = self.asana.options.field("project"), f"PV testing {item.key}"
        text = f"{item.key}: {percent:g} % done"
        since = datetime.now(timezone.utc) - timedelta(hours=self.asana.options.status_hours)
        params = {"parent": project, "created_since": since.isoformat(), "opt_fields": "title,text"}
        updates = await self.asana.all("/status_updates", self.name, params)
        young = [update for update in updates if update.get("title") == title]
        if any(update.get("text") == text for update in young) or (young and percent != DONE):
            return
        kind = "complete" if percent == DONE else "on_track"
        data = {"parent": project, "title": title, "text": text, "status_type": kind}
        await self.asana.ask("POST", "/status_updates", self.name, key=item.key, data=data)
