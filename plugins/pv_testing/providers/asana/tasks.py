"""Main tasks and subtasks: made up to ten at a time, found by business key, changed where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import orjson

from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.core.response import Response
from pv_testing.providers import ids
from pv_testing.providers.asana.keys import Task, field_of
from pv_testing.providers.asana.listings import described
from pv_testing.providers.asana.provider import ACTIONS
from pv_testing.providers.asana.steps import AsanaOperation
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.replies import NO_ANSWER
from pv_testing.providers.texts import same, written

CONTENT = ("name", "notes", "start_on", "due_on")


class TaskOperation(AsanaOperation):
    """Makes tasks, and changes those whose number is known."""

    at_once: ClassVar[bool] = True
    most: ClassVar[int] = ACTIONS

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; what Asana has no field for goes into the notes."""
        payload = super().prepare(record)
        if "estimate" in payload:
            payload["estimate"] = int((Decimal(str(payload["estimate"])) * 60).quantize(Decimal(1), ROUND_HALF_UP))
            if not self.asana.options.estimate_field:
                payload.setdefault("text", {})["Estimated"] = f"{payload.pop('estimate')} min"
        # Asana takes a start only together with a later due date.
        if payload.get("start_on", "") >= payload.get("due_on", ""):
            payload.pop("start_on", None)
        return written(payload, "notes")

    async def perform(self, item: Prepared) -> Reply:
        """Make a task, or change one that is there."""
        if item.external_id:
            task: Task = await self._change(item)
        else:
            params = {"opt_fields": self.asana.fields}
            task = await self.asana.ask(
                "POST", _path(item.payload), self.name, key=item.key, data=self._new(item), params=params
            )
        return Reply(Verdict.OK, ids.of_reply(task.get("gid"), item.key), body=described(self.asana, task))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look tasks up by business key."""
        return found_by_key(batch, await self.asana.keys.find(batch, self.name), self._found_task)

    def _found_task(self, item: Prepared, tasks: Sequence[Task]) -> Found:
        task = tasks[0]
        in_effect = not self._differences(item.payload, task)
        body = described(self.asana, task)
        return Found(ids.of_found(task["gid"], item.key), in_effect=in_effect, body=body, copies=len(tasks))

    async def perform_many(self, batch: Sequence[Prepared]) -> Sequence[Reply]:
        """Make tasks side by side; none of them needs another, as their parents are there."""
        options = {"fields": self.asana.fields.split(",")}
        actions = [
            {"method": "post", "relative_path": _path(item.payload), "data": self._new(item), "options": options}
            for item in batch
        ]
        answers = await self.asana.batch(actions, self.name, key=f"{batch[0].key} and {len(batch) - 1} more")
        made: dict[str, Task] = {}
        for answer in answers:
            if answer.get("status_code") == 201:
                task = answer["body"]["data"]
                made[self.asana.keys.of(task)] = task
        # Their order is promised nowhere: a refusal counts by its place only where every task stands in its own.
        in_place = all(
            answer.get("status_code") != 201 or self.asana.keys.of(answer["body"]["data"]) == item.key
            for item, answer in zip(batch, answers, strict=True)
        )
        return [
            self._reply_of(item, made.get(item.key), answer if in_place else None)
            for item, answer in zip(batch, answers, strict=True)
        ]

    def _reply_of(self, item: Prepared, task: Task | None, answer: Mapping[str, Any] | None) -> Reply:
        if task is not None:
            return Reply(Verdict.OK, ids.of_reply(task.get("gid"), item.key), body=described(self.asana, task))
        if answer is None or not isinstance(answer.get("status_code"), int):
            return NO_ANSWER
        content = orjson.dumps(answer.get("body") or {})
        meant = self._classify_other(Response(answer["status_code"], {}, content), False)  # noqa: FBT003
        in_doubt = meant.verdict in {Verdict.OK, Verdict.RETRYABLE} and not meant.promised
        return NO_ANSWER if in_doubt else Reply(meant.verdict, reason=meant.reason, code=meant.code)

    async def _change(self, item: Prepared) -> Task:
        """Write what differs of a task that is there."""
        task: Task = await self.task_of(item, item.external_id)
        different = self._differences(item.payload, task)
        if different:
            data = self._content({name: item.payload[name] for name in different})
            if "start_on" in data or "due_on" in data:  # one is taken only together with the other
                data |= {name: item.payload.get(name) for name in ("start_on", "due_on")}
            params = {"opt_fields": self.asana.fields}
            path = f"/tasks/{int(item.external_id)}"
            task = await self.asana.ask("PUT", path, self.name, key=item.key, data=data, params=params)
        return task

    def _new(self, item: Prepared) -> dict[str, Any]:
        stamp = self.asana.keys.stamp(item.key)
        content = self._content(item.payload)
        fields = {**stamp.get("custom_fields", {}), **content.get("custom_fields", {})}
        data = {**content, **stamp, "projects": [self.asana.options.field("project")]}
        if fields:
            data["custom_fields"] = fields
        if item.payload.get("assignee"):
            data["assignee"] = item.payload["assignee"]
        return data

    def _content(self, payload: Payload) -> dict[str, Any]:
        data = {name: payload[name] for name in CONTENT if name in payload}
        if "estimate" in payload:
            data["custom_fields"] = {self.asana.options.estimate_field: payload["estimate"]}
        return data

    def _differences(self, payload: Payload, task: Task) -> list[str]:
        """Return the fields in which a task isn't what a record wants."""
        known = {name: task.get(name) for name in CONTENT}
        if self.asana.options.estimate_field:
            known["estimate"] = field_of(task, self.asana.options.estimate_field, "number_value")
        return [name for name, value in known.items() if name in payload and not _equal(payload[name], value)]


def _path(payload: Payload) -> str:
    return f"/tasks/{payload['parent']}/subtasks" if "parent" in payload else "/tasks"


def _equal(ours: Any, theirs: Any) -> bool:
    return same(ours, theirs) if isinstance(ours, str) else bool(ours == theirs)
