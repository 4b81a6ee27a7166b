"""Hours of people and equipment: plain rows of Dataverse, upserted under a GUID, in whole minutes."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from pv_testing.core.records import Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers.dataverse.provider import ENTRIES, Row
from pv_testing.providers.dataverse.steps import DataverseOperation
from pv_testing.providers.texts import written


class EntryOperation(DataverseOperation):
    """Writes time entries; each is made, or changed, by one request."""

    table: ClassVar[str] = ENTRIES
    at_once: ClassVar[bool] = True

    def prepare(self, record: Record) -> Payload:
        """Map and validate an entry; the description names the operator and the exact hours."""
        payload = super().prepare(record)
        hours = Decimal(str(payload["hours"]))
        minutes = (hours * 60).quantize(Decimal(1), ROUND_HALF_UP)
        text = payload.get("text", {}) if hours * 60 == minutes else {**payload.get("text", {}), "Exact hours": hours}
        return {**written({**payload, "text": text}, "msdyn_description"), "msdyn_duration": int(minutes)}

    def wanted(self, item: Prepared, row: Row) -> dict[str, Any]:
        """Return the columns; a day may come back with a time of day."""
        columns = super().wanted(item, row)
        day = str(row.get("msdyn_date") or "")
        return {**columns, "msdyn_date": day} if day[:10] == columns["msdyn_date"] else columns

    async def perform(self, item: Prepared) -> Reply:
        """Write the whole entry under its GUID."""
        guid = self.guid(item)
        task = await self.task_of(item, str(item.payload["task"]))
        row = {
            **self.wanted(item, {}),
            "msdyn_project@odata.bind": f"/msdyn_projects({task['_msdyn_project_value']})",
            "msdyn_projectTask@odata.bind": f"/msdyn_projecttasks({task['msdyn_projecttaskid']})",
        }
        await self.dataverse.ask("PATCH", f"/{ENTRIES}({guid})", self.name, key=item.key, json=row)
        return Reply(Verdict.OK, guid, body=self.body({**row, "msdyn_timeentryid": guid}))

    def body(self, row: Row) -> dict[str, Any]:
        """Return what the caller is told of an entry."""
        return self.dataverse.entry(row)
