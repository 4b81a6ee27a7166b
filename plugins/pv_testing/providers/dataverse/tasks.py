"""Main tasks, subtasks, their status and progress: each change is an operation set."""

from __future__ import annotations

from typing import Any

from pv_testing.core.records import Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers.dataverse.provider import Row
from pv_testing.providers.dataverse.sets import CREATE, UPDATE, Change, carry
from pv_testing.providers.dataverse.steps import HELPERS, DataverseOperation, differences, has
from pv_testing.providers.texts import written

PARTS = {"OPEN": 0.0, "IN_PROGRESS": 0.5, "COMPLETE": 1.0}


class TaskOperation(DataverseOperation):
    """Makes tasks, and changes those that are there."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a record; what the planner has no column for goes into the description."""
        return written(super().prepare(record), "msdyn_description")

    def wanted(self, item: Prepared, row: Row) -> dict[str, Any]:
        """Return the columns; the effort of a task that has subtasks is calculated."""
        columns = super().wanted(item, row)
        if row.get("msdyn_summary"):
            columns.pop("msdyn_effort", None)
        return columns

    async def perform(self, item: Prepared) -> Reply:
        """Make a task under the GUID of its key, or change what differs."""
        guid = self.guid(item)
        if item.external_id:
            row = await self.task_of(item, guid)
            change = Change(
                UPDATE, self.name, item.key, guid, row["_msdyn_project_value"], differences(row, self.wanted(item, row))
            )
        else:
            project, columns = await self._new(item)
            change, row = Change(CREATE, self.name, item.key, guid, project, columns), {}
        if change.columns:
            row = await carry(self.dataverse, change, lambda there: has(there, self.wanted(item, there)))
        return Reply(Verdict.OK, guid, body=self.body(row))

    async def _new(self, item: Prepared) -> tuple[str, dict[str, Any]]:
        """Return the project and the columns of a new task."""
        columns = self.wanted(item, {})
        if "parent" in item.payload:
            parent = await self.task_of(item, str(item.payload["parent"]))
            project = str(parent["_msdyn_project_value"])
            columns["msdyn_parenttask@odata.bind"] = f"/msdyn_projecttasks({parent['msdyn_projecttaskid']})"
        else:
            project = self.dataverse.project
            columns["msdyn_outlinelevel"] = 1
        columns["msdyn_project@odata.bind"] = f"/msdyn_projects({project})"
        if self.dataverse.options["bucket"]:
            columns["msdyn_projectbucket@odata.bind"] = f"/msdyn_projectbuckets({self.dataverse.options['bucket']})"
        return project, columns


class ChangeOperation(DataverseOperation):
    """Changes the status or the progress of a task that is there."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate a change; what the planner has no column for goes into the note."""
        return written(super().prepare(record), self.dataverse.contract.names["note_column"])

    def guid(self, item: Prepared) -> str:
        """Return the id of the task that is changed."""
        return str(item.payload["task"])

    def wanted(self, item: Prepared, row: Row) -> dict[str, Any]:
        """Return the columns; the planner's own progress is written where it isn't calculated, and may be between."""
        columns = {name: value for name, value in item.payload.items() if name not in HELPERS}
        status = columns.get(self.dataverse.contract.names["status_column"])
        if status is None or row.get("msdyn_summary") or not self.dataverse.options["write_progress"]:
            return columns
        begun = status == "IN_PROGRESS" and 0 < (row.get("msdyn_progress") or 0) < 1
        return columns if begun else {**columns, "msdyn_progress": PARTS[status]}

    async def perform(self, item: Prepared) -> Reply:
        """Change what differs."""
        row = await self.task_of(item, self.guid(item))
        columns = differences(row, self.wanted(item, row))
        if columns:
            change = Change(UPDATE, self.name, item.key, self.guid(item), row["_msdyn_project_value"], columns)
            row = await carry(self.dataverse, change, lambda there: has(there, self.wanted(item, there)))
        return Reply(Verdict.OK, self.guid(item), body=self.body(row))
