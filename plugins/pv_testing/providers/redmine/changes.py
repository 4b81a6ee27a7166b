"""Changes of an issue's status and progress, read back because Redmine answers yes to what it ignores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pv_testing.core.errors import Conflict, NotFound
from pv_testing.core.records import Found, Payload, Prepared, Record, Reply, Verdict
from pv_testing.providers import ids
from pv_testing.providers.redmine.listings import described
from pv_testing.providers.redmine.steps import RedmineOperation
from pv_testing.providers.texts import same, written

Issue = Mapping[str, Any]


class ChangeOperation(RedmineOperation):
    """Changes issues that are there, and reads each back to see that Redmine has taken the change."""

    include = ""

    async def perform(self, item: Prepared) -> Reply:
        """Change an issue, unless it is as the record wants it."""
        issue = await self._issue(item)
        if not self.in_effect(item.payload, issue):
            body = {"issue": await self.fields(item, issue)}
            path = f"/issues/{item.payload['issue']}.json"
            await self.redmine.put(path, body, operation=self.name, key=item.key, repeatable=False)
            issue = await self._issue(item)
            if not self.in_effect(item.payload, issue):
                raise self.not_taken(item, issue)
        return Reply(Verdict.OK, ids.of_reply(issue["id"], item.key), body=described(self.redmine, issue))

    async def find(self, batch: Sequence[Prepared]) -> Mapping[str, Found]:
        """Read the issues that are to be changed."""
        found: dict[str, Found] = {}
        for item in batch:
            try:
                issue = await self.redmine.issue(item.payload["issue"], self.name, key=item.key, include=self.include)
            except NotFound:
                continue
            body = described(self.redmine, issue)
            found[item.key] = Found(
                ids.of_found(issue["id"], item.key), in_effect=self.in_effect(item.payload, issue), body=body
            )
        return found

    def in_effect(self, payload: Payload, issue: Issue) -> bool:
        """Say whether an issue is as the record wants it."""
        raise NotImplementedError

    async def fields(self, item: Prepared, issue: Issue) -> dict[str, Any]:
        """Return the fields that are written.

        Raises:
            Conflict: Redmine wouldn't take it.
        """
        raise NotImplementedError

    def not_taken(self, item: Prepared, issue: Issue) -> Conflict:
        """Return the error that says why Redmine has not taken it."""
        raise NotImplementedError

    async def _issue(self, item: Prepared) -> Issue:
        try:
            return await self.redmine.issue(item.payload["issue"], self.name, key=item.key, include=self.include)
        except NotFound as error:
            message = f"Redmine has no issue #{item.payload['issue']} any more, or doesn't show it to this user"
            raise Conflict(message, key=item.key, code="ISSUE_GONE") from error


class TaskStatusOperation(ChangeOperation):
    """Moves tasks on, with a note for the reader."""

    include = "journals,allowed_statuses"

    def prepare(self, record: Record) -> Payload:
        """Map and validate a change; what Redmine has no field for goes into the note."""
        return written(super().prepare(record), "notes")

    def in_effect(self, payload: Payload, issue: Issue) -> bool:
        """Say whether the issue has the status, and the note is written."""
        if issue["status"]["name"] != payload["status"]:
            return False
        journals = issue.get("journals", ())
        return "notes" not in payload or any(same(payload["notes"], entry.get("notes")) for entry in journals)

    async def fields(self, item: Prepared, issue: Issue) -> dict[str, Any]:
        """Return status, note, and the progress that goes with the status."""
        wanted, here = str(item.payload["status"]), str(issue["status"]["name"])
        offered = {status["name"]: status["id"] for status in issue.get("allowed_statuses", ())}
        if wanted != here and wanted not in offered:
            message = (
                f"Redmine's workflow doesn't lead #{issue['id']} from {here} to {wanted} for this user now; "
                "allow it there, close its open subtasks, or move it by hand"
            )
            raise Conflict(message, key=item.key, code="WORKFLOW")
        fields: dict[str, Any] = {"status_id": offered[wanted]} if wanted != here else {}
        progress = self._progress(wanted, issue)
        if progress is not None:
            fields["done_ratio"] = progress
        return {**fields, **({"notes": item.payload["notes"]} if "notes" in item.payload else {})}

    def not_taken(self, item: Prepared, issue: Issue) -> Conflict:
        """Say in which status the issue stays."""
        message = f"Redmine answered yes, but #{issue['id']} stays {issue['status']['name']}; may this user change it?"
        return Conflict(message, key=item.key, code="NOT_TAKEN")

    def _progress(self, status: str, issue: Issue) -> int | None:
        """Return 100 % for a complete task, and 0 % for another one that has 100 %."""
        complete = self.redmine.contract.vocabularies["task_status"].read(status) == "COMPLETE"
        if complete:
            return 100
        return 0 if issue.get("done_ratio") == 100 else None


class ProgressOperation(ChangeOperation):
    """Writes the progress of a service request into its main task."""

    def prepare(self, record: Record) -> Payload:
        """Map and validate; Redmine counts whole per cents, and nothing is done before all is."""
        payload = super().prepare(record)
        return {**payload, "done_ratio": int(payload["done_ratio"])}

    def in_effect(self, payload: Payload, issue: Issue) -> bool:
        """Say whether the issue has the progress."""
        return bool(issue.get("done_ratio") == payload["done_ratio"])

    async def fields(self, item: Prepared, issue: Issue) -> dict[str, Any]:  # noqa: ARG002 - the base's shape
        """Return the progress."""
        return {"done_ratio": item.payload["done_ratio"]}

    def not_taken(self, item: Prepared, issue: Issue) -> Conflict:
        """Say that Redmine computes the progress itself."""
        message = (
            f"Redmine keeps #{issue['id']} at {issue.get('done_ratio')} %, because it computes a parent's progress "
            "from its subtasks, or any from the status; set % done to independent of subtasks under Administration, "
            "Settings, Issue tracking"
        )
        return Conflict(message, key=item.key, code="PROGRESS_DERIVED")
