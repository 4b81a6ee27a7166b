"""Status of tasks: their section, whether they are complete, and a comment; Asana has no field for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.asana.keys import Task
from pv_testing.providers.asana.listings import described
from pv_testing.providers.asana.steps import AsanaOperation
from pv_testing.providers.texts import same, written


class StatusOperation(AsanaOperation):
    """Moves tasks on, and comments for the reader."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a change; what Asana has no field for goes into the comment."""
        return written(super().prepare(record), "notes")

    async def perform(self, item: Prepared) -> Reply:
        """Move a task into its section, complete it or not, and write the comment, each unless it is done."""
        task = await self.task_of(item, item.payload["task"])
        gid = str(task["gid"])
        section = str(item.payload["status"])
        if self.asana.sections.of(task) != section:
            path = f"/sections/{await self.asana.sections.gid(section, self.name)}/addTask"
            await self.asana.ask("POST", path, self.name, key=item.key, data={"task": gid})
        if task.get("completed") is not self._complete(item):
            data = {"completed": self._complete(item)}
            await self.asana.ask("PUT", f"/tasks/{gid}", self.name, key=item.key, data=data)
        if not await self._has_comment(item, gid):
            data = {"text": item.payload["notes"]}
            await self.asana.ask("POST", f"/tasks/{gid}/stories", self.name, key=item.key, data=data)
        body = {**described(self.asana, task), "status": section}
        return Reply(Verdict.OK, ids.of_reply(gid, item.key), body=body)

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the tasks that are to be moved."""
        found: dict[str, Found] = {}
        for item, task in await self.tasks_of(batch):
            in_effect = self._has_status(item, task) and await self._has_comment(item, str(task["gid"]))
            number = ids.of_found(task["gid"], item.key)
            found[item.key] = Found(number, in_effect=in_effect, body=described(self.asana, task))
        return found

    def _complete(self, item: Prepared) -> bool:
        return self.asana.contract.vocabularies["task_status"].read(item.payload["status"]) == "COMPLETE"

    def _has_status(self, item: Prepared, task: Task) -> bool:
        there = self.asana.sections.of(task), task.get("completed")
        return there == (item.payload["status"], self._complete(item))

    async def _has_comment(self, item: Prepared, gid: str) -> bool:
        notes: Any = item.payload.get("notes")
        if not notes:
            return True
        stories = await self.asana.all(f"/tasks/{gid}/stories", self.name, {"opt_fields": "text"})
        return any(same(notes, story.get("text")) for story in stories)
