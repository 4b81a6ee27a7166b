"""Hours: a subtask of its own for each entry, because a time entry of Asana has no key, no comment and no other person.

The subtask's notes say who worked on what for how long, to how many whole minutes that was rounded, and in their last
line the business key; its only time entry has the minutes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.asana.keys import Task
from pv_testing.providers.asana.listings import KEY_LINE, entry_described, key_of
from pv_testing.providers.asana.rounding import Allotted, allot
from pv_testing.providers.asana.steps import AsanaOperation
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.texts import same

_MINUTES = re.compile(r"entered as ([0-9]+) min")


class HoursOperation(AsanaOperation):
    """Enters hours as a subtask with a time entry."""

    at_once: ClassVar[bool] = False

    def prepare(self, record: Record) -> Payload:
        """Map and validate; hours keep all their digits."""
        payload = super().prepare(record)
        return {**payload, "hours": f"{Decimal(str(payload['hours'])).normalize():f}"}

    async def perform(self, item: Prepared) -> Reply:
        """Make or correct the subtask, then its time entry."""
        carrier: Task | None = await self._carrier(item)
        minutes = self._noted(item, carrier)
        if minutes is None:
            minutes = await self._allot(item)
        content = {"name": self._name(item), "notes": self._notes(item, minutes)}
        new = carrier is None
        if carrier is None:
            path, data = f"/tasks/{item.payload['task']}/subtasks", {**content, "completed": True}
            carrier = await self._new(item, path, data)
        elif not same(content["notes"], carrier.get("notes")):
            await self.asana.ask("PUT", f"/tasks/{carrier['gid']}", self.name, key=item.key, data=content)
        item.external_id = ids.of_reply(carrier["gid"], item.key)
        await self._enter(item, minutes, new=new)
        shown = {**carrier, **content, "actual_time_minutes": minutes}
        return Reply(Verdict.OK, item.external_id, body=entry_described(shown, str(item.payload["task"])))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look hours up among the subtasks of their tasks."""
        groups: dict[str, list[Task]] = {}
        for parent in dict.fromkeys(str(item.payload["task"]) for item in batch):
            for carrier in await self._carriers(parent):
                known = (item.key for item in batch if item.external_id == str(carrier["gid"]))
                groups.setdefault(next(known, key_of(carrier)), []).append(carrier)
        return found_by_key(batch, groups, self._found_hours)

    def _found_hours(self, item: Prepared, carriers: Sequence[Task]) -> Found:
        carrier = carriers[0]
        minutes = self._noted(item, carrier)
        in_effect = minutes is not None and (carrier.get("actual_time_minutes") or 0) == minutes
        body = entry_described(carrier, str(item.payload["task"]))
        return Found(ids.of_found(carrier["gid"], item.key), in_effect=in_effect, body=body, copies=len(carriers))

    async def _carriers(self, parent: str) -> Sequence[Task]:
        try:
            return await self.asana.tasks(f"/tasks/{parent}/subtasks", self.name)
        except NotFound:
            return []

    async def _carrier(self, item: Prepared) -> Task | None:
        if item.external_id:
            return await self.task_of(item, item.external_id)
        return None

    async def _new(self, item: Prepared, path: str, data: Mapping[str, Any]) -> Task:
        try:
            task: Task = await self.asana.ask("POST", path, self.name, key=item.key, data=data)
        except NotFound as error:
            message = f"Asana has no task {item.payload['task']} any more, or doesn't show it to this account"
            raise Conflict(message, key=item.key, code="TASK_GONE") from error
        return task

    def _noted(self, item: Prepared, carrier: Task | None) -> int | None:
        """Return the minutes that a subtask of these very hours names."""
        match = _MINUTES.search(str(carrier.get("notes") or "")) if carrier else None
        if carrier is None or match is None:
            return None
        minutes = int(match[1])
        return minutes if same(self._notes(item, minutes), carrier.get("notes")) else None

    async def _allot(self, item: Prepared) -> int:
        empty: Allotted = {}
        kept = await asyncio.to_thread(
            self.asana.ledger.update,
            f"asana/minutes/{item.payload['task']}",
            lambda kept: allot(kept, item.key, item.payload["hours"]),
            empty,
        )
        return int(kept[item.key][1])

    async def _enter(self, item: Prepared, minutes: int, *, new: bool) -> None:
        """Give the subtask its one time entry; less than a minute is within the minutes of the others."""
        path = f"/tasks/{item.external_id}/time_tracking_entries"
        fields = {"opt_fields": "duration_minutes,entered_on"}
        entries = [] if new else await self.asana.all(path, self.name, fields)
        if len(entries) > 1:
            message = (
                f"task {item.external_id} has {len(entries)} time entries; leave one there, then release the record"
            )
            raise Conflict(message, key=item.key, code="ENTRIES_CHANGED")
        wanted = {"duration_minutes": minutes, "entered_on": item.payload["date"]}
        if not entries and minutes:
            await self.asana.ask("POST", path, self.name, key=item.key, data=wanted)
        elif entries and not minutes:
            own = f"/time_tracking_entries/{entries[0]['gid']}"
            await self.asana.ask("DELETE", own, self.name, key=item.key)
        elif entries and any(entries[0].get(name) != value for name, value in wanted.items()):
            own = f"/time_tracking_entries/{entries[0]['gid']}"
            await self.asana.ask("PUT", own, self.name, key=item.key, data=wanted)

    def _notes(self, item: Prepared, minutes: int) -> str:
        hours = Decimal(item.payload["hours"])
        exact = f"{(hours * 60).normalize():f}"
        shown = f"{item.payload['hours']} h on {item.payload['date']} ({exact} min), entered as {minutes} min"
        kept = "" if Decimal(exact) == minutes else "; the sum of the task's entries is exact to the minute"
        return "\n".join(filter(None, [*self.about(item.payload), f"{shown}{kept}", f"{KEY_LINE}{item.key}"]))

    def _name(self, item: Prepared) -> str:
        raise NotImplementedError

    def about(self, payload: Payload) -> list[str]:
        """Return what the notes say besides hours and key, a line each."""
        raise NotImplementedError


class OperatorHoursOperation(HoursOperation):
    """Enters an operator's hours."""

    def about(self, payload: Payload) -> list[str]:
        """Return what was done, and by whom."""
        return [str(payload.get("comment") or ""), f"By {payload['user']}" if payload.get("user") else ""]

    def _name(self, item: Prepared) -> str:
        return f"Hours: {item.payload.get('comment') or item.key}"[:255]


class EquipmentHoursOperation(HoursOperation):
    """Enters the hours of equipment."""

    def about(self, payload: Payload) -> list[str]:
        """Return what was used."""
        return [f"{payload['resource_type']}: {payload['resource_id']}"]

    def _name(self, item: Prepared) -> str:
        return f"Usage: {item.payload['resource_id']} ({item.key})"[:255]
