"""Business keys of tasks: an external id, or a text field, written at creation and looked up where nothing lags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pv_testing.core.errors import NotFound
from pv_testing.core.records import Prepared

if TYPE_CHECKING:
    from pv_testing.providers.asana.provider import AsanaProvider

Task = Mapping[str, Any]


class Keys:
    """Writes and finds the business keys of tasks.

    Asana's search is behind its data, so that it isn't asked: subtasks are listed by their main task, main tasks are
    read by their external id or listed by their project.

    Args:
        provider: who asks.
    """

    def __init__(self, provider: AsanaProvider) -> None:
        self._provider = provider
        self._external = provider.options.external_ids

    def stamp(self, key: str) -> dict[str, Any]:
        """Return what a new task carries besides its content."""
        if self._external:
            return {"external": {"gid": key}}
        return {"custom_fields": {self._provider.options.field("key_field"): key}}

    def of(self, task: Task) -> str:
        """Return the key of a task, or the empty string."""
        if self._external:
            return str((task.get("external") or {}).get("gid") or "")
        return str(field_of(task, self._provider.options.field("key_field"), "text_value") or "")

    async def find(self, batch: Sequence[Prepared], operation: str) -> dict[str, list[Task]]:
        """Return the tasks that carry the records' keys, by key."""
        by_gid: dict[str, Task] = {}
        for task in [*await self._of_parents(batch, operation), *await self._main_tasks(batch, operation)]:
            by_gid[str(task["gid"])] = task
        known = {item.external_id: item.key for item in batch if item.external_id}
        wanted = {item.key for item in batch}
        by_key: dict[str, list[Task]] = defaultdict(list)
        for gid, task in by_gid.items():
            key = known.get(gid) or self.of(task)
            if key in wanted:
                by_key[key].append(task)
        return by_key

    async def _of_parents(self, batch: Sequence[Prepared], operation: str) -> list[Task]:
        parents = dict.fromkeys(str(item.payload["parent"]) for item in batch if "parent" in item.payload)
        tasks: list[Task] = []
        for parent in parents:
            try:
                tasks += await self._provider.tasks(f"/tasks/{parent}/subtasks", operation)
            except NotFound:
                continue
        return tasks

    async def _main_tasks(self, batch: Sequence[Prepared], operation: str) -> list[Task]:
        main = [item for item in batch if "parent" not in item.payload]
        if not main:
            return []
        known = [item.external_id for item in main if item.external_id]
        if self._external:
            known += [f"external:{quote(item.key, safe='')}" for item in main]
            return await self._provider.read_many(known, operation)
        project = self._provider.options.field("project")
        listed = await self._provider.tasks(f"/projects/{project}/tasks", operation)
        return [*listed, *await self._provider.read_many(known, operation)]


def field_of(task: Task, gid: str, part: str) -> Any:
    """Return what a task has in a custom field."""
    fields = task.get("custom_fields") or ()
    return next((field.get(part) for field in fields if str(field.get("gid")) == gid), None)
