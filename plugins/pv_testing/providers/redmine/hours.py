"""Hours: of operators on their tasks, of equipment on the project, so that neither is counted for the other.

Redmine adds up all time entries of an issue, whatever their activity: a chamber's 840 hours on a task would drown its
operator's two. Equipment is therefore entered on the task's project, and its comment begins with the task's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from pv_testing.core.errors import Conflict, NotFound, Rejected
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.grouped import found_by_key
from pv_testing.providers.redmine.keys import Item
from pv_testing.providers.redmine.listings import described
from pv_testing.providers.redmine.setup import RedmineProject
from pv_testing.providers.redmine.steps import RedmineOperation
from pv_testing.providers.texts import same

HUNDREDTH = Decimal("0.01")


class HoursOperation(RedmineOperation):
    """Enters hours as time entries; what they are entered on is up to the two kinds of hours."""

    at_once: ClassVar[bool] = True

    def prepare(self, record: Record) -> Payload:
        """Map and validate; hours get the two decimals that Redmine shows, so that it adds up what it shows."""
        payload = super().prepare(record)
        return {**payload, "hours": _rounded(Decimal(str(payload["hours"])))}

    async def perform(self, item: Prepared) -> Reply:
        """Enter hours, or correct them."""
        project = await self._project(item)
        body = {
            "hours": item.payload["hours"],
            "spent_on": item.payload["spent_on"],
            "comments": self.comments(item.payload),
            "activity_id": project.activity(item.payload["activity"]),
            "custom_fields": self.redmine.time_entries.stamp(item.key),
            **await self.place(item, project),
        }
        entry = await (self._change(item, body) if item.external_id else self._create(item, body))
        return Reply(Verdict.OK, ids.of_reply(entry["id"], item.key), body=described(self.redmine, entry))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Look entries up by business key."""
        entries = await self.redmine.time_entries.find(batch, self.name)
        return found_by_key(batch, entries, self._found_entry)

    def comments(self, payload: Payload) -> str:
        """Return the comment of an entry."""
        raise NotImplementedError

    async def place(self, item: Prepared, project: RedmineProject) -> dict[str, Any]:
        """Return on what and for whom the hours are entered."""
        raise NotImplementedError

    def _found_entry(self, item: Prepared, entries: Sequence[Item]) -> Found:
        entry = entries[0]
        in_effect = self._same(item.payload, entry)
        if item.external_id and entry.get("hours") != item.payload["hours"]:
            # What looks alike may be the version before; a change is written again, which does no harm.
            in_effect = False
        body = described(self.redmine, entry)
        return Found(ids.of_found(entry["id"], item.key), in_effect=in_effect, body=body, copies=len(entries))

    def _same(self, payload: Payload, entry: Item) -> bool:
        return (
            entry.get("hours") in _shown(payload["hours"])
            and entry.get("spent_on") == payload["spent_on"]
            and same(self.comments(payload), entry.get("comments"))
        )

    async def _project(self, item: Prepared) -> RedmineProject:
        try:
            return await self.redmine.setup.project_of(item.payload["issue"], self.name)
        except NotFound as error:
            message = f"Redmine has no issue #{item.payload['issue']} any more, or doesn't show it to this user"
            raise Conflict(message, key=item.key, code="ISSUE_GONE") from error

    async def _create(self, item: Prepared, body: Mapping[str, Any]) -> Item:
        entry: Item = await self.redmine.ask(
            "POST", "/time_entries.json", "time_entry", operation=self.name, key=item.key, json={"time_entry": body}
        )
        if self.redmine.time_entries.of(entry) != item.key:
            message = (
                f"Redmine made time entry {entry['id']} without the business key; delete it, then release the record"
            )
            raise Conflict(message, key=item.key, code="NOT_KEPT")
        return entry

    async def _change(self, item: Prepared, body: Mapping[str, Any]) -> Item:
        path = f"/time_entries/{int(item.external_id)}.json"
        try:
            await self.redmine.put(path, {"time_entry": body}, operation=self.name, key=item.key)
            entry: Item = await self.redmine.ask("GET", path, "time_entry", operation=self.name, key=item.key)
        except NotFound as error:
            message = (
                f"time entry {item.external_id} has been deleted in Redmine; enter one there with the key {item.key!r} "
                "and confirm the record with its number"
            )
            raise Conflict(message, key=item.key, code="ENTRY_GONE") from error
        if not self._same(item.payload, entry):
            message = f"Redmine answered yes, but time entry {item.external_id} stays as it was"
            raise Conflict(message, key=item.key, code="NOT_TAKEN")
        return entry


class OperatorHoursOperation(HoursOperation):
    """Enters an operator's hours on a task."""

    def comments(self, payload: Payload) -> str:
        """Return what was done."""
        return str(payload.get("comments") or "")

    async def place(self, item: Prepared, project: RedmineProject) -> dict[str, Any]:
        """Return the task, and the member who did it; without a name the hours are the integration's own.

        Raises:
            Rejected: the project has no member with this address.
        """
        where: dict[str, Any] = {"issue_id": item.payload["issue"]}
        mail = str(item.payload.get("user") or "")
        if mail:
            member = await self.redmine.setup.member(project, mail, self.name)
            if member is None:
                message = (
                    f"the project {project.identifier} has no member {mail}, or the member hides the address; "
                    "correct it in Redmine, then release the record"
                )
                raise Rejected(message, key=item.key, code="USER_UNKNOWN")
            where["user_id"] = member
        return where


class EquipmentHoursOperation(HoursOperation):
    """Enters the hours of equipment on the project of a task."""

    def comments(self, payload: Payload) -> str:
        """Return the task's number and what was used."""
        return f"#{payload['issue']} {payload['resource_type']} {payload['resource_id']}"

    async def place(self, item: Prepared, project: RedmineProject) -> dict[str, Any]:  # noqa: ARG002 - the base's shape
        """Return the project."""
        return {"project_id": project.id}


def _shown(hours: float) -> set[float]:
    """Return how Redmine shows hours that it was given: version 5 as they are, version 6 in whole minutes."""
    minutes = Decimal(str(hours)) * 60
    return {hours, _rounded(minutes.quantize(Decimal(1), ROUND_HALF_UP) / 60)}


def _rounded(hours: Decimal) -> float:
    """Return hours with two decimals."""
    return float(hours.quantize(HUNDREDTH, ROUND_HALF_UP))
